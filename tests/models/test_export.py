"""What lamina writes must please onnx's checker and ONNX Runtime, at a second size too."""

import numpy as np
import onnx
import onnxruntime
import pytest

import lamina
from helpers import raises, rng
from lamina import nn, ops
from lamina._lamina import record
from lamina.testing import assert_close


def quantized_product(x):
    """Through codes of x, and a sum in int32."""
    zero = lamina.tensor(128, dtype=lamina.uint8)
    codes = ops.quantize_linear(x, lamina.tensor(0.02), zero)
    weight = lamina.tensor(rng(1).integers(-128, 128, (5, 3)).astype(np.int8), device=x.device)
    return ops.dequantize_linear(ops.matmul_integer(codes, weight, zero), lamina.tensor(0.001))


def sampled(x):
    """At the places of an affine map, and in two regions; and a determinant."""
    boxes = lamina.tensor([[1.0, 0.5, 1.0, 4.0, 4.5], [0.0, -1.0, 2.0, 3.0, 9.0]], device=x.device)
    theta = constant((2, 2, 3)).to(x.device) * 0.3
    grid = ops.affine_grid(theta, (2, 3, 2, 3))
    parts = [ops.grid_sample(x, grid, mode, "border") for mode in ("bilinear", "nearest")]
    parts.append(ops.grid_sample(x, grid, "bicubic", align_corners=True))
    parts += [ops.roi_align(x, boxes, (2, 3), 0.9, 2, aligned) for aligned in (False, True)]
    parts.append(ops.roi_pool(x, boxes, (2, 3), 0.5))
    return ops.concat(parts, 1) * ops.det(x[:, :1, :3, :3])[..., None, None]


IMAGE = {"x": {0: "N", 2: "H", 3: "W"}}
CASES = {
    "convolutions": (
        lambda: nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1, bias=False),
            nn.BatchNorm2d(8),
            nn.LeakyReLU(0.2),
            nn.MaxPool2d(2),
            nn.Conv2d(8, 8, 3, padding="same", stride=2, groups=8),
            nn.Tanh(),
            nn.AvgPool2d(2, 1, 1, count_include_pad=False),
            nn.Conv2d(8, 4, (1, 3), dilation=(1, 2), padding=((0, 0), (1, 2))),
            nn.Softmax(dim=1),
        ),
        (2, 3, 16, 20),
        (1, 3, 24, 18),
        IMAGE,
    ),
    "classifier": (
        lambda: nn.Sequential(
            nn.Conv2d(1, 4, 3), nn.ReLU(), nn.GlobalAvgPool2d(), nn.Flatten(), nn.Dropout(), nn.Linear(4, 3)
        ),
        (2, 1, 8, 8),
        (5, 1, 11, 9),
        IMAGE,
    ),
    "arithmetic": (
        lambda: lambda x: ops.clip(ops.sigmoid(x * 2.0 - 1.0) / (x * x + 1.0), 0.1, 0.9) ** 2.0,
        (2, 5),
        (7, 5),
        {"x": {0: "N"}},
    ),
    "a quantised product": (lambda: quantized_product, (2, 5), (7, 5), {"x": {0: "N"}}),
    "reductions": (
        lambda: lambda x: ops.concat([ops.mean(x, 1, True), ops.max(x, 1, True), ops.sum(x, 1, True)], 1),
        (2, 5),
        (7, 5),
        {"x": {0: "N"}},
    ),
    "reductions beside gelu": (  # in its operator set they take their axes as an input
        lambda: (
            lambda x: ops.gelu(ops.sum(x, 1, True)) + ops.mean(x, 1, True) * ops.max(x, (0, 1)) - ops.min(x)
        ),
        (2, 5),
        (2, 5),
        {},
    ),
    "shapes": (
        lambda: lambda x: ops.permute(ops.pad(x, [(0, 0), (1, 2), (0, 1)]), (0, 2, 1))[:, 1:, ::2].flatten(1),
        (2, 5, 6),
        (4, 5, 6),
        {"x": {0: "N"}},
    ),
    "selection": (
        lambda: lambda x: ops.where(x > 0.0, ops.exp(-x), ops.tanh(x)),
        (2, 5),
        (3, 5),
        {"x": {0: "N"}},
    ),
    "product": (
        lambda: lambda x: ops.softmax(x @ x.mT, -1) @ x,
        (2, 3, 5),
        (4, 6, 5),
        {"x": {0: "N", 1: "T"}},
    ),
    "transformer": (
        lambda: nn.Sequential(
            nn.LayerNorm(6),
            nn.Linear(6, 8),
            nn.GELU(),
            nn.LayerNorm(8, eps=1e-3, bias=False),
            nn.Linear(8, 6),
            nn.GELU("tanh"),
            nn.LayerNorm((5, 6), elementwise_affine=False),
            nn.SiLU(),
            nn.Hardswish(),
            nn.ReLU6(),
        ),
        (2, 5, 6),
        (3, 5, 6),
        {"x": {0: "N"}},
    ),
    "activations": (
        lambda: (
            lambda x: (
                ops.elu(x, 0.7)
                + ops.celu(x, 0.5)
                + ops.selu(x)
                + ops.mish(x)
                + ops.softplus(x)
                + ops.softsign(x)
                + ops.hardsigmoid(x)
                + ops.hardshrink(x)
                + ops.prelu(x, constant((5,)).to(x.device))
            )
        ),
        (2, 5),
        (3, 5),
        {"x": {0: "N"}},
    ),
    "trigonometry": (
        lambda: (
            lambda x: (
                ops.atan(ops.sinh(x))
                + ops.asinh(ops.tan(x * 0.5))
                + ops.expm1(ops.asin(x * 0.1))
                + ops.log1p(ops.cosh(x))
                + ops.acosh(ops.cosh(x) + 1.0)
                + ops.atanh(x * 0.1)
                + ops.acos(x * 0.1)
                + ops.trunc(x)
            )
        ),
        (2, 5),
        (3, 5),
        {"x": {0: "N"}},
    ),
    "running sums and norms": (
        lambda: (
            lambda x: (
                ops.cumsum(x, 1, reverse=True) * ops.var(x, 1, keepdim=True)
                + ops.logsumexp(x, 1, keepdim=True) * ops.norm(x, dim=1, keepdim=True)
            )
        ),
        (2, 5),
        (2, 5),
        {},
    ),
    "bits": (
        lambda: (
            lambda x: ops.cast(
                ops.bitwise_xor(ops.bitwise_and(ops.cast(x * 9.0, lamina.int32), 6), 3), lamina.float32
            )
        ),
        (2, 5),
        (3, 5),
        {"x": {0: "N"}},
    ),
    "scatter": (
        lambda: (
            lambda x: ops.scatter_reduce(
                x, lamina.tensor([[0, 1, 1, 0, 0]], device=x.device), x[:1] * 2.0, 0, "amax"
            )
        ),
        (2, 5),
        (2, 5),
        {},
    ),
    "statistics": (
        lambda: lambda x: record("layer_norm", [x], {"normalized_shape": [5]})[2] * x,
        (2, 5),
        (3, 5),
        {"x": {0: "N"}},
    ),
    "normalisations": (
        lambda: nn.Sequential(
            nn.GroupNorm(2, 4),
            nn.InstanceNorm2d(4, affine=True),
            nn.LocalResponseNorm(3, 0.5, 0.6, 1.5),
            nn.LocalResponseNorm(2, 0.5),  # whose window ONNX places elsewhere
            nn.GroupNorm(1, 4, eps=1e-3, affine=False),
            nn.RMSNorm((5, 6)),
            nn.BatchNorm2d(4),
        ),
        (2, 4, 5, 6),
        (3, 4, 5, 6),
        {"x": {0: "N"}},
    ),
    "one axis": (
        lambda: nn.Sequential(
            nn.Conv1d(3, 4, 3, padding="same"),
            nn.MaxPool1d(2),
            nn.ConvTranspose1d(4, 3, 3, stride=2),
            nn.AvgPool1d(3, 2, 1),
            nn.InstanceNorm1d(3),
        ),
        (2, 3, 16),
        (3, 3, 16),
        {"x": {0: "N"}},
    ),
    "three axes": (
        lambda: nn.Sequential(
            nn.Conv3d(2, 4, (2, 3, 3), padding=1, stride=(1, 2, 1)),
            nn.ReLU(),
            nn.MaxPool3d(2, 1),
            nn.ConvTranspose3d(4, 2, 2, stride=2),
            nn.AvgPool3d((2, 1, 1)),
            nn.InstanceNorm3d(2),
        ),
        (2, 2, 4, 6, 5),
        (3, 2, 4, 6, 5),
        {"x": {0: "N"}},
    ),
    "frames": (
        lambda: lambda x: ops.overlap_add(ops.frame(x, 1, 4, 2) * constant((4, 1)).to(x.device), 1, 2),
        (2, 10, 3),
        (3, 10, 5),
        {"x": {0: "N", 2: "C"}},
    ),
    "columns": (
        lambda: (
            lambda x: ops.fold(ops.unfold(x, (2, 3), padding=1, stride=(2, 1)), (6, 5), (2, 3), 1, 1, (2, 1))
        ),
        (2, 2, 6, 5),
        (3, 2, 6, 5),
        {"x": {0: "N"}},
    ),
    "borders and shuffles": (
        lambda: nn.Sequential(
            nn.ReflectionPad2d((1, 2, 0, 1)),
            nn.ReplicationPad2d(1),
            nn.ZeroPad2d((0, 1, 0, 0)),
            nn.ChannelShuffle(2),
            nn.PReLU(4),
            nn.Upsample(scale_factor=2.0, mode="bilinear"),
        ),
        (2, 4, 5, 6),
        (3, 4, 5, 6),
        {"x": {0: "N"}},
    ),
    "sampling": (lambda: sampled, (2, 3, 6, 5), (2, 3, 6, 5), {}),
    "sampling of volumes": (
        lambda: lambda x: ops.grid_sample(x, ops.tanh(constant((2, 2, 3, 2, 3)).to(x.device))),
        (2, 3, 4, 6, 5),
        (2, 3, 4, 6, 5),
        {},
    ),
    "resize": (
        lambda: lambda x: ops.resize(x, scales=(2.0, 2.0), mode="linear"),
        (1, 2, 4, 5),
        (2, 2, 6, 3),
        IMAGE,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_export(device, tmp_path, name):
    make, shape, other, dynamic = CASES[name]
    target = make()
    if isinstance(target, nn.Module):
        target = target.to(device)
    path = tmp_path / "model.onnx"
    x = rng(0).standard_normal(shape).astype(np.float32)
    lamina.onnx.save(target, lamina.tensor(x, device=device), path, dynamic=dynamic)
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(str(path))
    again = lamina.onnx.load(path, device=device)
    if isinstance(target, nn.Module):
        target.eval()
    for size in (shape, other):
        x = rng(1).standard_normal(size).astype(np.float32)
        with lamina.no_grad():
            own = target(lamina.tensor(x, device=device)).numpy()
        (theirs,) = session.run(None, {"x": x})
        assert_close(theirs, own, "model")
        assert_close(again.run({"x": x})["y"], own, "model")


class Residual(nn.Module):
    def __init__(self, *branch):
        self.branch = nn.Sequential(*branch)

    def forward(self, x):
        return self.branch(x) + x


class Attention(nn.Module):
    def __init__(self, width):
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))

    def forward(self, x):
        scores = self.query(x) @ self.key(x).mT * x.shape[-1] ** -0.5
        return ops.softmax(scores, -1) @ self.value(x)


def drawn(net):
    """Statistics, scales and biases that differ by channel."""
    generator = rng(3)
    for cell in [*net.parameters(), *net.buffers()]:
        if cell.ndim == 1:
            cell.assign(lamina.tensor(generator.uniform(0.5, 1.5, cell.shape).astype(np.float32)))
    return net


def constant(shape):
    return lamina.tensor(rng(4).standard_normal(shape).astype(np.float32))


def normalised(x):
    """Batch norm by hand, with the batch's own mean and variance."""
    centred = x - ops.reshape(ops.mean(x, (0, 2, 3)), (3, 1, 1))
    scale = constant((3,)) / ops.sqrt(ops.mean(centred * centred, (0, 2, 3)) + 1e-5)
    return centred * ops.reshape(scale, (3, 1, 1)) + ops.reshape(constant((3,)), (3, 1, 1))


BLOCKS = {
    "residual block": (
        lambda: nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1),
            nn.ReLU(),
            Residual(
                nn.Conv2d(8, 8, 3, padding=1, bias=False),
                nn.BatchNorm2d(8, eps=1e-3),
                nn.ReLU(),
                nn.Conv2d(8, 8, 3, padding=1),
                nn.BatchNorm2d(8),
            ),
            nn.ReLU(),
            nn.GlobalAvgPool2d(),
            nn.Flatten(),
            nn.Linear(8, 5),
        ),
        (2, 3, 9, 8),
        17,
        "Conv Relu Conv BatchNormalization Relu Conv BatchNormalization Add Relu "
        "GlobalAveragePool Flatten Gemm",
    ),
    "mlp": (
        lambda: nn.Sequential(
            nn.Linear(7, 9), nn.ReLU(), nn.Linear(9, 9), nn.GELU("tanh"), nn.Linear(9, 3), nn.Softmax(-1)
        ),
        (4, 7),
        20,
        "Gemm Relu Gemm Gelu Gemm Softmax",
    ),
    "encoder layer": (
        lambda: nn.Sequential(
            Residual(Attention(6)),
            nn.LayerNorm(6),
            Residual(nn.Linear(6, 12), nn.GELU(), nn.Linear(12, 6)),
            nn.LayerNorm(6),
        ),
        (2, 5, 6),
        20,
        "Transpose MatMul Add Transpose MatMul Add Transpose MatMul Mul Softmax Transpose MatMul Add MatMul "
        "Add LayerNormalization Transpose MatMul Add Gelu Transpose MatMul Add Add LayerNormalization",
    ),
    "constants": (  # views of them are values, not nodes
        lambda: (
            lambda x: ops.global_max_pool2d(
                ops.batch_norm(
                    ops.conv2d(x, constant((4, 3, 1, 1)), constant((4,))),
                    *(lamina.tensor([0.5, 1.0, 1.5, 2.0]) for _ in range(4)),
                )
            )
        ),
        (2, 3, 4, 4),
        17,
        "Conv BatchNormalization GlobalMaxPool",
    ),
    "norms": (
        lambda: nn.Sequential(
            nn.InstanceNorm2d(4, affine=True), nn.GroupNorm(2, 4), nn.LocalResponseNorm(3, 0.5), nn.RMSNorm(6)
        ),
        (2, 4, 5, 6),
        23,
        "InstanceNormalization GroupNormalization LRN RMSNormalization",
    ),
    "an instance norm alone": (
        lambda: nn.InstanceNorm1d(4),
        (2, 4, 5),
        17,
        "InstanceNormalization",
    ),
    "two axes": (
        lambda: nn.Sequential(nn.Linear(4, 3, bias=False), nn.BatchNorm1d(3)),
        (5, 4),
        17,
        "Transpose MatMul BatchNormalization",
    ),
    "transposed convolution": (
        lambda: lambda x: record("conv_transpose2d", [x, constant((3, 2, 2, 2)), constant((2,))], {}),
        (2, 3, 4, 4),
        17,
        "ConvTranspose",
    ),
    "a convolution that is read twice": (
        lambda: Twice(nn.Conv2d(3, 3, 1)),
        (2, 3, 4, 4),
        17,
        "Conv Reshape Add Mul",
    ),
    "no channels": (
        lambda: lambda x: ops.conv2d(x, constant((4, 4, 1, 1))) + lamina.tensor([1.0, 2.0, 3.0, 4.0]),
        (2, 4, 4, 4),
        17,
        "Conv Add",
    ),
    "statistics of the batch": (
        lambda: normalised,
        (2, 3, 4, 4),
        17,
        "ReduceMean Reshape Sub Mul ReduceMean Add Sqrt Div Reshape Mul Add",
    ),
    "almost gelu": (
        lambda: lambda x: x * ((ops.erf(x * 0.7) + 1.0) * 0.5),
        (2, 3),
        17,
        "Mul Erf Add Mul Mul",
    ),
}


class Twice(nn.Module):
    def __init__(self, conv):
        self.conv = conv

    def forward(self, x):
        y = ops.conv2d(x, self.conv.weight)
        return (y + ops.reshape(self.conv.bias, (3, 1, 1))) * y


@pytest.mark.parametrize("name", BLOCKS)
def test_what_layers_are_written_as(tmp_path, name):
    make, shape, opset, operators = BLOCKS[name]
    target = make()
    if isinstance(target, nn.Module):
        target = drawn(target).eval()
    path = tmp_path / "model.onnx"
    x = rng(0).standard_normal(shape).astype(np.float32)
    lamina.onnx.save(target, lamina.tensor(x), path)
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    assert [node.op_type for node in model.graph.node] == operators.split()
    assert [(o.domain, o.version) for o in model.opset_import] == [("", opset)]
    own = target(lamina.tensor(x)).numpy()
    (theirs,) = onnxruntime.InferenceSession(str(path)).run(None, {"x": x})
    assert_close(theirs, own, "model")
    assert_close(lamina.onnx.load(path, device="cpu").run({"x": x})["y"], own, "model")


def test_names_and_symbols(tmp_path):
    path = tmp_path / "model.onnx"
    net = nn.Sequential(nn.Linear(4, 3))
    lamina.onnx.save(
        net, {"features": ops.zeros((2, 4))}, path, dynamic={"features": {0: "N"}}, output_names=["scores"]
    )
    model = lamina.onnx.load(path, device="cpu")
    assert [(i.name, i.shape) for i in model.inputs] == [("features", ("N", 4))]
    assert [(o.name, o.shape) for o in model.outputs] == [("scores", ("N", 3))]
    stored = {t.name for t in onnx.load(path).graph.initializer}
    assert {"0.weight", "0.bias"} <= stored


def test_training_mode_comes_back(tmp_path):
    net = nn.Sequential(nn.Linear(4, 3), nn.Dropout())
    net[1].eval()
    lamina.onnx.save(net, ops.zeros((1, 4)), tmp_path / "m.onnx")
    assert (net.training, net[0].training, net[1].training) == (True, True, False)


def test_bad_arguments(tmp_path):
    x = ops.zeros((1, 4))
    net = nn.Linear(4, 3)
    raises(
        lamina.ArgumentError,
        "onnx.save: dynamic names 'z'; the inputs are: x",
        lambda: lamina.onnx.save(net, x, tmp_path / "m.onnx", dynamic={"z": {0: "N"}}),
    )
    raises(
        lamina.ArgumentError,
        "onnx.save: dynamic axis 2 of 'x' is not in 0..2",
        lambda: lamina.onnx.save(net, x, tmp_path / "m.onnx", dynamic={"x": {2: "N"}}),
    )
    raises(
        lamina.ArgumentError,
        "onnx.save: 2 output names for 1 outputs",
        lambda: lamina.onnx.save(net, x, tmp_path / "m.onnx", output_names=["a", "b"]),
    )
    path = tmp_path / "no" / "m.onnx"
    raises(
        lamina.ModelError,
        f"onnx.save: cannot write '{path}': No such file or directory",
        lambda: lamina.onnx.save(net, x, path),
    )
