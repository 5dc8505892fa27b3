"""Models whose images lie in blocks on the CPU: values against ONNX Runtime,
and where the planner puts blocks, by what it says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest

import lamina
from lamina import Tensor, nn, ops
from oracle import norm, pool, product

pytestmark = pytest.mark.filterwarnings("error")


class Net(nn.Module):
    """Layers by name, put together by a function."""

    def __init__(self, build: Callable[[Any, Tensor], Any], **layers: nn.Module) -> None:
        for name, layer in layers.items():
            setattr(self, name, layer)
        self.build = build

    def forward(self, x: Tensor) -> Any:
        return self.build(self, x)


def normed(channels: int) -> nn.BatchNorm2d:
    rng = np.random.default_rng(channels)
    norm = nn.BatchNorm2d(channels)
    norm.weight.assign(lamina.tensor(rng.uniform(0.5, 1.5, channels).astype("f")))
    norm.bias.assign(lamina.tensor(rng.normal(0, 0.2, channels).astype("f")))
    norm.running_mean.assign(lamina.tensor(rng.normal(0, 0.2, channels).astype("f")))
    norm.running_var.assign(lamina.tensor(rng.uniform(0.5, 1.5, channels).astype("f")))
    return norm


def residual(net: Any, x: Tensor) -> Tensor:
    x = ops.relu(net.norm0(net.stem(x)))
    y = net.norm1(net.conv1(x))
    return ops.relu(net.norm2(net.conv2(ops.relu(y))) + net.short(x))


def inverted(net: Any, x: Tensor) -> Tensor:
    x = net.stem(x)
    y = ops.clip(net.norm0(net.expand(x)), 0.0, 6.0)
    y = ops.clip(net.norm1(net.depthwise(y)), 0.0, 6.0)
    return x + net.norm2(net.project(y))


def fire(net: Any, x: Tensor) -> Tensor:
    x = ops.max_pool2d(ops.relu(net.stem(x)), 3, stride=2, ceil_mode=True)
    x = ops.concat([ops.relu(net.one(x)), ops.relu(net.three(x))], 1)
    x = ops.leaky_relu(net.last(ops.avg_pool2d(x, 2, padding=1)), 0.1)
    return x.mean((2, 3), keepdim=True)


def groups(net: Any, x: Tensor) -> Tensor:
    """Groups of whole blocks, of parts of one, and one that moves by two pixels."""
    x = ops.relu(net.norm0(net.wide(ops.relu(net.stem(x)))))
    x = x + net.narrow(x)
    return ops.relu(net.norm1(net.strided(x)))


def branches(net: Any, x: Tensor) -> tuple[Tensor, Tensor]:
    """One image read in blocks, as it is, and from outside."""
    x = net.stem(x)
    gate = ops.sigmoid(net.gate(x.mean((2, 3), keepdim=True)))
    return x, net.conv(x * gate) * ops.sigmoid(x) + x[:, :, ::-1]


NETS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "residual": (
        lambda: Net(
            residual,
            stem=nn.Conv2d(3, 32, 7, stride=2, padding=3),
            norm0=normed(32),
            conv1=nn.Conv2d(32, 48, 3, stride=2, padding=1, bias=False),
            norm1=normed(48),
            conv2=nn.Conv2d(48, 48, 3, padding=1),
            norm2=normed(48),
            short=nn.Conv2d(32, 48, 1, stride=2),
        ),
        (2, 3, 61, 47),
    ),
    "inverted residual": (
        lambda: Net(
            inverted,
            stem=nn.Conv2d(3, 24, 3, padding=1),
            expand=nn.Conv2d(24, 144, 1, bias=False),
            norm0=normed(144),
            depthwise=nn.Conv2d(144, 144, 3, padding=1, groups=144, bias=False),
            norm1=normed(144),
            project=nn.Conv2d(144, 24, 1, bias=False),
            norm2=normed(24),
        ),
        (1, 3, 67, 59),
    ),
    "fire": (
        lambda: Net(
            fire,
            stem=nn.Conv2d(3, 32, 3, stride=2),
            one=nn.Conv2d(32, 64, 1),
            three=nn.Conv2d(32, 50, 3, padding=1),
            last=nn.Conv2d(114, 40, 3, dilation=2),
        ),
        (1, 3, 64, 65),
    ),
    "groups": (
        lambda: Net(
            groups,
            stem=nn.Conv2d(3, 64, 3, padding=1),
            wide=nn.Conv2d(64, 128, 3, padding=1, groups=4, bias=False),
            norm0=normed(128),
            narrow=nn.Conv2d(128, 128, 1, groups=2),
            strided=nn.Conv2d(128, 512, 3, stride=2, padding=1, groups=32, bias=False),
            norm1=normed(512),
        ),
        (2, 3, 41, 38),
    ),
    "branches": (
        lambda: Net(
            branches,
            stem=nn.Conv2d(3, 33, 3, padding=1),
            gate=nn.Conv2d(33, 33, 1),
            conv=nn.Conv2d(33, 33, 3, padding=1),
        ),
        (1, 3, 30, 31),
    ),
}


def exported(name: str, folder: Path) -> tuple[str, np.ndarray]:
    build, shape = NETS[name]
    lamina.manual_seed(0)
    x = np.random.default_rng(1).standard_normal(shape).astype("f")
    path = str(folder / "net.onnx")
    lamina.onnx.save(build().eval(), [lamina.tensor(x)], path)
    return path, x


@pytest.mark.parametrize("name", NETS)
def test_values_are_onnx_runtimes(name: str, tmp_path: Path) -> None:
    path, x = exported(name, tmp_path)
    model = lamina.onnx.load(path, device="cpu")
    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    ours = list(model.run({model.inputs[0].name: x}).values())
    theirs = session.run(None, {session.get_inputs()[0].name: x})
    assert len(ours) == len(theirs)
    for got, want in zip(ours, theirs, strict=True):
        assert np.abs(got - want).max() <= 1e-5 * np.abs(want).max()


def steps(name: str, folder: Path) -> list[tuple[str, str]]:
    path, _ = exported(name, folder)
    plan = lamina.onnx.load(path, device="cpu").explain()
    return [(step.op, step.params) for step in plan.steps]


def algorithms(found: list[tuple[str, str]]) -> list[str]:
    return [params.split("'")[1] for op, params in found if op == "conv2d" and params.startswith("algorithm")]


def test_a_residual_block_is_its_convolutions(tmp_path: Path) -> None:
    """Batch norms, activations and sums end in the kernels; one way out."""
    found = steps("residual", tmp_path)
    assert sorted(algorithms(found)) == ["direct", "direct", "stem", "winograd f(4, 3)"]
    assert [op for op, _ in found if op != "conv2d"] == ["reorder"]
    last = next(params for op, params in found if "residual=True" in params)
    assert "bias=True" in last
    assert "lo=0" in last


def test_a_wide_block_is_one_kernel(tmp_path: Path) -> None:
    found = [op for op, _ in steps("inverted residual", tmp_path)]
    assert found == ["conv2d", "inverted_residual", "reorder"]


def test_pools_and_concats_stay_in_blocks(tmp_path: Path) -> None:
    found = [op for op, _ in steps("fire", tmp_path)]
    assert found.count("reorder") == 1
    assert {"max_pool2d", "avg_pool2d", "concat", "mean"} <= set(found)


def test_groups_stay_in_blocks(tmp_path: Path) -> None:
    found = steps("groups", tmp_path)
    assert sorted(algorithms(found)) == ["direct", "direct", "pointwise", "stem"]
    assert [op for op, _ in found if op != "conv2d"] == ["reorder"]


def test_what_is_not_a_number_stays_in_its_group() -> None:
    """No other group's channels are multiplied, by zeros either."""
    rng = np.random.default_rng(0)
    x, first, last = (
        rng.standard_normal(shape).astype("f") for shape in [(1, 64, 30, 30), (64, 16, 3, 3), (128, 8, 1, 1)]
    )
    want = product.conv(x.astype(float), first.astype(float), padding=1, groups=4)
    want = product.conv(want, last.astype(float), groups=8)
    x[0, 16:32] = np.nan
    y = ops.conv2d(lamina.tensor(x), lamina.tensor(first), padding=1, groups=4)
    y = ops.conv2d(y, lamina.tensor(last), groups=8)
    assert sum("algorithm" in step.params for step in lamina.explain(y).steps) == 2
    got = y.numpy()
    assert np.isnan(got[0, 32:64]).all()
    rest = [*range(32), *range(64, 128)]
    assert np.abs(got[0, rest] - want[0, rest]).max() <= 1e-5 * np.abs(want).max()


def test_weights_are_scaled_and_packed_once(tmp_path: Path) -> None:
    """Another image size is another plan, with the weights of the first."""
    path = str(tmp_path / "net.onnx")
    lamina.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 32, 3), normed(32), nn.Conv2d(32, 32, 3)).eval()
    x = lamina.tensor(np.zeros((1, 3, 32, 32), "f"))
    lamina.onnx.save(net, [x], path, dynamic={"x": {2: "H", 3: "W"}})
    model = lamina.onnx.load(path, device="cpu")
    name = model.inputs[0].name

    def packings(size: int) -> int:
        before = lamina.counters()["packings"]
        model.run({name: np.ones((1, 3, size, size), "f")})
        return lamina.counters()["packings"] - before

    assert packings(32) > 0
    assert packings(40) == 0


def close(got: Tensor, want: np.ndarray) -> None:
    assert np.abs(got.numpy() - want).max() <= 1e-5 * np.abs(want).max()


@pytest.mark.parametrize(
    ("kernel", "stride", "dilation", "padding"),
    [
        (3, 1, 1, 1),
        (3, 1, 2, 1),
        (2, 1, 1, 0),
        (1, 1, 1, 0),
        (1, 1, 1, 2),
        (3, 2, 1, 1),
        (4, 2, 1, 1),
        (2, 3, 1, 0),
        (3, 2, 3, 2),
    ],
)
def test_gradients_in_blocks_are_the_oracles(kernel: int, stride: int, dilation: int, padding: int) -> None:
    """A convolution, its bias, an activation and pooling, forward and back, in float32."""
    rng = np.random.default_rng(kernel)
    form = {"stride": stride, "padding": padding, "dilation": dilation}
    x, w, b = (
        rng.standard_normal(shape).astype("f") for shape in [(4, 64, 32, 31), (80, 64, kernel, kernel), (80,)]
    )
    hidden = product.conv(x.astype(float), w.astype(float), b.astype(float), **form)
    rectified = np.maximum(hidden, 0)
    windows = pool.windows(rectified.shape, 2)
    want = pool.max_pool(rectified, windows)
    gy = rng.standard_normal(want.shape).astype("f")
    back = pool.max_pool_vjp(gy.astype(float), rectified, windows)[0] * (hidden > 0)
    gradients = product.conv_vjp(back, x.astype(float), w.astype(float), b.astype(float), **form)

    tensors = [nn.Parameter(lamina.tensor(v)) for v in (x, w, b)]
    y = ops.max_pool2d(ops.relu(ops.conv2d(*tensors, **form)), 2)
    found = lamina.grad((y * lamina.tensor(gy)).sum(), tensors)
    steps = lamina.explain(y, *found).steps
    turned = [step for step in steps if "transposed=True" in step.params]
    pooled = [step for step in steps if step.op.startswith("max_pool2d") and "blocked" in step.params]
    summed = [step for step in steps if step.op == "conv2d_backward_weight" and "blocked" in step.params]
    assert len(turned) == 1
    assert len(pooled) == 2
    assert len(summed) == 1
    close(y, want)
    for got, wanted in zip(found, gradients, strict=True):
        close(got, wanted)


@pytest.mark.parametrize(("groups", "shape"), [(4, (64, 16, 3, 3)), (2, (96, 32, 1, 1)), (64, (64, 1, 3, 3))])
def test_gradients_of_groups_to_their_images_are_in_blocks(
    groups: int, shape: tuple[int, int, int, int]
) -> None:
    rng = np.random.default_rng(groups)
    pad = shape[2] // 2
    x, first, w, last = (
        rng.standard_normal(sizes).astype("f")
        for sizes in [(4, 3, 30, 29), (64, 3, 3, 3), shape, (32, shape[0], 3, 3)]
    )
    tensors = [nn.Parameter(lamina.tensor(v)) for v in (first, w, last)]
    hidden = ops.conv2d(lamina.tensor(x), tensors[0], padding=1)
    y = ops.conv2d(ops.conv2d(hidden, tensors[1], padding=pad, groups=groups), tensors[2], padding=1)
    gy = rng.standard_normal(y.shape).astype("f")
    found = lamina.grad((y * lamina.tensor(gy)).sum(), tensors)
    turned = [step.params for step in lamina.explain(y, *found).steps if "transposed=True" in step.params]
    assert sum(f"groups={groups}" in params for params in turned) == 1

    x, first, w, last, gy = (v.astype(float) for v in (x, first, w, last, gy))
    hidden = product.conv(x, first, padding=1)
    middle = product.conv(hidden, w, padding=pad, groups=groups)
    close(y, product.conv(middle, last, padding=1))
    back, to_last, *_ = product.conv_vjp(gy, middle, last, padding=1)
    back, to_w, *_ = product.conv_vjp(back, hidden, w, padding=pad, groups=groups)
    to_first = product.conv_vjp(back, x, first, padding=1)[1]
    for got, want in zip(found, (to_first, to_w, to_last), strict=True):
        close(got, want)


def test_small_strided_images_stay_in_blocks() -> None:
    """A network's last stage in training: images of few pixels, taken together."""
    rng = np.random.default_rng(0)
    x, first, strided, short, gy = (
        rng.standard_normal(shape).astype("f")
        for shape in [(16, 3, 9, 8), (64, 3, 3, 3), (96, 64, 3, 3), (96, 64, 1, 1), (16, 96, 5, 4)]
    )
    tensors = [nn.Parameter(lamina.tensor(v)) for v in (first, strided, short)]
    hidden = ops.tanh(ops.conv2d(lamina.tensor(x), tensors[0], padding=1))
    y = ops.conv2d(hidden, tensors[1], stride=2, padding=1) + ops.conv2d(hidden, tensors[2], stride=2)
    found = lamina.grad((y * lamina.tensor(gy)).sum(), tensors)
    steps = lamina.explain(*found).steps
    assert [step.op for step in steps].count("reorder") == 1
    phases = [step for step in steps if "'phases'" in step.params]
    assert [step.op for step in phases] == ["conv2d_backward_input"] * 2

    x, first, strided, short, gy = (v.astype(float) for v in (x, first, strided, short, gy))
    inner = np.tanh(product.conv(x, first, padding=1))
    close(y, product.conv(inner, strided, stride=2, padding=1) + product.conv(inner, short, stride=2))
    back, to_strided, *_ = product.conv_vjp(gy, inner, strided, stride=2, padding=1)
    more, to_short, *_ = product.conv_vjp(gy, inner, short, stride=2)
    to_first = product.conv_vjp((back + more) * (1 - inner**2), x, first, padding=1)[1]
    for got, want in zip(found, (to_first, to_strided, to_short), strict=True):
        close(got, want)


@pytest.mark.parametrize(("kernel", "stride", "padding"), [(4, 2, 1), (2, 2, 0), (3, 3, 1), (3, 1, 0)])
def test_transposed_convolutions_stay_in_blocks(kernel: int, stride: int, padding: int) -> None:
    """With their bias and activation."""
    rng = np.random.default_rng(kernel)
    x, first, turned, bias, last = (
        rng.standard_normal(shape).astype("f")
        for shape in [(2, 3, 24, 21), (48, 3, 3, 3), (48, 40, kernel, kernel), (40,), (32, 40, 1, 1)]
    )
    hidden = ops.relu(ops.conv2d(lamina.tensor(x), lamina.tensor(first), padding=1))
    form = {"stride": stride, "padding": padding}
    grown = ops.conv_transpose2d(hidden, lamina.tensor(turned), lamina.tensor(bias), **form)
    y = ops.conv2d(ops.leaky_relu(grown, 0.1), lamina.tensor(last))
    steps = lamina.explain(y).steps
    kernel_step = next(step for step in steps if step.op == "conv2d_backward_input")
    assert "bias=True" in kernel_step.params
    assert "slope=0.1" in kernel_step.params
    # The bias, a value for each channel, and the result.
    assert [step.op for step in steps].count("reorder") == 2

    x, first, turned, bias, last = (v.astype(float) for v in (x, first, turned, bias, last))
    inner = np.maximum(product.conv(x, first, padding=1), 0)
    size = [(n - 1) * stride - 2 * padding + kernel for n in inner.shape[2:]]
    large = np.zeros((2, 40, *size))
    wide = product.conv_vjp(inner, large, turned, **form)[0] + bias[:, None, None]
    close(y, product.conv(np.where(wide < 0, 0.1 * wide, wide), last))


def test_a_training_step_stays_in_blocks() -> None:
    """From the plain image to the last result and back to every weight; only the loss's gradient, a product
    of two, enters."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((8, 3, 32, 32)).astype("f")
    weights = [
        (0.05 * rng.standard_normal((c, d, 3, 3))).astype("f") for c, d in [(32, 3), (40, 32), (48, 40)]
    ]
    tensors = [nn.Parameter(lamina.tensor(w)) for w in weights]
    y = lamina.tensor(x)
    hidden, inputs = x.astype(float), []
    for w, tensor in zip(weights, tensors, strict=True):
        y = ops.tanh(ops.conv2d(y, tensor, padding=1))
        inputs.append(hidden)
        hidden = np.tanh(product.conv(hidden, w.astype(float), None, padding=1))
    gy = rng.standard_normal(y.shape).astype("f")
    found = lamina.grad((y * lamina.tensor(gy)).sum(), tensors)
    steps = [step.op for step in lamina.explain(*found).steps]
    assert steps.count("conv2d_backward_weight") == 3
    assert steps.count("reorder") == 2
    back = gy * (1 - hidden**2)
    for at in (2, 1, 0):
        w = weights[at].astype(float)
        dx, dw, *_ = product.conv_vjp(back, inputs[at], w, None, padding=1)
        close(found[at], dw)
        back = dx * (1 - inputs[at] ** 2)


def test_batch_norms_in_training_stay_in_blocks() -> None:
    """Between two convolutions, whose channels do not fill the last block."""
    rng = np.random.default_rng(0)
    x, first, last, weight, bias, gy = (
        rng.standard_normal(shape).astype("f")
        for shape in [(8, 3, 32, 31), (36, 3, 3, 3), (40, 36, 1, 1), (36,), (36,), (8, 40, 32, 31)]
    )
    tensors = [nn.Parameter(lamina.tensor(v)) for v in (first, weight, bias, last)]
    image = lamina.tensor(x)
    layer = nn.BatchNorm2d(36)
    layer.weight, layer.bias = tensors[1], tensors[2]
    y = ops.conv2d(layer(ops.conv2d(image, tensors[0], padding=1)), tensors[3])
    found = lamina.grad((y * lamina.tensor(gy)).sum(), tensors)
    steps = [(step.op, step.params) for step in lamina.explain(*found).steps]
    normed = [params for op, params in steps if op.startswith("batch_norm")]
    assert len(normed) == 2
    assert all("blocked" in params for params in normed)
    # What enters is the loss's gradient.
    assert [op for op, _ in steps].count("reorder") == 1

    x, first, last, weight, bias = (v.astype(float) for v in (x, first, last, weight, bias))
    hidden = product.conv(x, first, None, padding=1)
    moved = norm.batch_norm_training(hidden, weight, bias, 1e-5)[0]
    close(y, product.conv(moved, last))
    back, to_last, *_ = product.conv_vjp(gy.astype(float), moved, last)
    back, to_weight, to_bias = norm.batch_norm_training_vjp(back, hidden, weight, bias, 1e-5)
    to_first = product.conv_vjp(back, x, first, None, padding=1)[1]
    for got, want in zip(found, (to_first, to_weight, to_bias, to_last), strict=True):
        close(got, want)


def test_a_small_step_keeps_the_plain_layout() -> None:
    """Its reorders would cost more than its arithmetic."""
    conv = nn.Conv2d(3, 32, 3)
    loss = ops.relu(conv(lamina.tensor(np.ones((2, 3, 16, 16), "f")))).sum()
    found = lamina.explain(*lamina.grad(loss, [conv.weight]))
    assert "reorder" not in [step.op for step in found.steps]
