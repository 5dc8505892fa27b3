"""What mistakes say, word for word: the op, the argument, what was got, what was wanted, what to do."""

import os
from errno import ENOENT

import numpy as np
import pytest

import lamina
from helpers import raises
from lamina import nn, ops
from lamina._lamina import record


def zeros(*shape, dtype=np.float32):
    return lamina.tensor(np.zeros(shape, dtype))


X = zeros(2, 3)

MISTAKES = {
    "matmul": (
        lambda: X @ X,
        lamina.ShapeError,
        "matmul: [2, 3] @ [2, 3]: the first has 3 columns, the second 2 rows; they must be equal",
    ),
    "broadcast": (
        lambda: X + zeros(4),
        lamina.ShapeError,
        "add: shapes [2, 3] and [4] do not broadcast: axis 1 has 3 and 4; "
        "they must be equal or one of them 1",
    ),
    "conv2d": (
        lambda: ops.conv2d(zeros(1, 3, 8, 8), zeros(4, 2, 3, 3)),
        lamina.ShapeError,
        "conv2d: x has 3 channels in 1 group(s), weight [4, 2, 3, 3] takes 2 per group; wanted 3",
    ),
    "linear": (
        lambda: nn.Linear(3, 2)(zeros(2, 4)),
        lamina.ShapeError,
        "linear: x has shape [2, 4], weight [2, 3]; the last axis of x must be 3",
    ),
    "reshape": (
        lambda: X.reshape(4, 2),
        lamina.ShapeError,
        "reshape: [2, 3] to [4, 2]: 6 elements do not fill a shape of 8",
    ),
    "item": (
        lambda: X.item(),
        lamina.ShapeError,
        "item: a tensor of shape [2, 3] has 6 elements, wanted exactly 1; index it first",
    ),
    "nms": (
        lambda: lamina.decoders.nms(X, X),
        lamina.ShapeError,
        "nms: boxes has shape (2, 3), wanted (count, 4)",
    ),
    "dtype": (
        lambda: ops.softmax(lamina.tensor([1, 2])),
        lamina.UnsupportedError,
        "softmax: x has dtype int64; supported: float32, float64, float16, bfloat16; cast it first",
    ),
    "axis": (
        lambda: ops.sum(X, 5),
        lamina.IndexError,
        "sum: axis 5 is out of range for 2 axes: wanted -2 to 1",
    ),
    "index": (lambda: X[5], lamina.IndexError, "index: 5 is out of range for axis 0 of length 2"),
    "unknown op": (
        lambda: record("no_such_op", [X], {}),
        lamina.UnsupportedError,
        "op 'no_such_op' is unknown; `lamina ops` lists what there is",
    ),
    "unknown keyword": (
        lambda: record("softmax", [X], {"axis": 1}),
        lamina.ArgumentError,
        "softmax: unknown keyword argument 'axis'; it takes: dim",
    ),
    "unknown device": (
        lambda: lamina.tensor([1.0], device="cuda"),
        lamina.DeviceError,
        "device 'cuda' is unknown: wanted 'cpu', 'gpu', 'gpu:N' or 'auto'",
    ),
    "empty model": (
        lambda: lamina.onnx.load(b"", device="cpu"),
        lamina.ModelError,
        "the file is empty, wanted an ONNX model",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistake(name):
    call, error, message = MISTAKES[name]
    raises(error, message, call)


def test_an_adapter_that_there_is_not():
    count = len(lamina.devices()) - 1
    raises(
        lamina.DeviceError,
        f"device 'gpu:99': no such GPU adapter; {count} found. Install a Vulkan, Metal or DX12 driver, "
        "or use device='cpu'; `lamina devices` lists what there is",
        lambda: lamina.tensor([1.0], device="gpu:99"),
    )


def test_a_truncated_model(data):
    whole = (data / "mnist" / "mnist.onnx").read_bytes()
    raises(
        lamina.ModelError,
        "not a whole ONNX model (cut short, or another format): "
        "failed to decode Protobuf message: ModelProto.graph: buffer underflow",
        lambda: lamina.onnx.load(whole[:1000], device="cpu"),
    )


def test_an_output_that_cannot_be_written(tmp_path):
    path = tmp_path / "none" / "out.onnx"
    raises(
        lamina.ModelError,
        f"onnx.save: cannot write '{path}': {os.strerror(ENOENT)}",
        lambda: lamina.onnx.save(lambda t: t + 1.0, X, path),
    )


def test_a_bfloat16_array_needs_ml_dtypes(monkeypatch):
    import sys

    halves = X.astype(lamina._by_name["bfloat16"])
    assert halves.numpy().dtype.name == "bfloat16"
    monkeypatch.setitem(sys.modules, "ml_dtypes", None)
    raises(
        lamina.DTypeError,
        "numpy: NumPy has no bfloat16 of its own; use astype(lamina.float32) first, or install ml_dtypes",
        halves.numpy,
    )
