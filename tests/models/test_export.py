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
    "reductions": (
        lambda: lambda x: ops.concat([ops.mean(x, 1, True), ops.max(x, 1, True), ops.sum(x, 1, True)], 1),
        (2, 5),
        (7, 5),
        {"x": {0: "N"}},
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
    "statistics": (
        lambda: lambda x: record("layer_norm", [x], {"normalized_shape": [5]})[2] * x,
        (2, 5),
        (3, 5),
        {"x": {0: "N"}},
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
