"""Models that are none, cut short, or ask for what there is not: a typed error, never a crash."""

import contextlib

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import lamina
from helpers import raises, rng


def model(*nodes, inputs=("x",), outputs=("y",), opset=17):
    graph = helper.make_graph(
        list(nodes),
        "g",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2, 3]) for name in inputs],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    return made.SerializeToString()


def test_no_such_file(tmp_path):
    with pytest.raises(lamina.ModelError, match="none"):
        lamina.onnx.load(tmp_path / "none.onnx", device="cpu")


@pytest.mark.parametrize("data", [b"", b"\x00" * 64, b"not a model at all", bytes(range(256))], ids=len)
def test_no_model(data):
    with pytest.raises(lamina.ModelError):
        lamina.onnx.load(data, device="cpu")


def test_cut_short_anywhere(data):
    whole = (data / "mnist" / "mnist.onnx").read_bytes()
    for end in [int(e) for e in rng(0).integers(1, len(whole) - 1, 40)]:
        with pytest.raises(lamina.LaminaError):
            lamina.onnx.load(whole[:end], device="cpu")


def test_bytes_changed_anywhere(data):
    """Either it loads or it raises; nothing else may happen."""
    whole = bytearray((data / "mnist" / "mnist.onnx").read_bytes())
    for at in [int(p) for p in rng(1).integers(0, min(len(whole), 6000), 150)]:
        broken = bytearray(whole)
        broken[at] ^= 0xFF
        with contextlib.suppress(lamina.LaminaError):
            lamina.onnx.load(bytes(broken), device="cpu")


def test_all_unsupported_ops_are_listed_at_once():
    data = model(
        helper.make_node("StringConcat", ["x", "x"], ["a"]),
        helper.make_node("StringNormalizer", ["a"], ["b"]),
        helper.make_node("Relu", ["b"], ["y"]),
    )
    with pytest.raises(lamina.UnsupportedError) as raised:
        lamina.onnx.load(data, device="cpu")
    assert "StringConcat" in str(raised.value)
    assert "StringNormalizer" in str(raised.value)
    assert "Relu" not in str(raised.value)


def test_an_input_that_does_not_exist():
    with pytest.raises(lamina.ModelError, match="z"):
        lamina.onnx.load(model(helper.make_node("Relu", ["z"], ["y"])), device="cpu")


def test_wrong_inputs_of_a_run():
    loaded = lamina.onnx.load(model(helper.make_node("Relu", ["x"], ["y"])), device="cpu")
    right = np.ones((2, 3), np.float32)
    assert loaded.run({"x": right})["y"].shape == (2, 3)
    for error, inputs in (
        (lamina.ArgumentError, {}),
        (lamina.ArgumentError, {"x": right, "z": right}),
        (lamina.ShapeError, {"x": right[0]}),
        (lamina.DTypeError, {"x": right.astype(np.int64)}),
    ):
        with pytest.raises(error, match=r"'?[xz]'?"):
            loaded.run(inputs)


def test_no_such_device():
    raises(
        lamina.DeviceError,
        "device 'tpu' is unknown: wanted 'cpu', 'gpu', 'gpu:N' or 'auto'",
        lambda: lamina.onnx.load(model(helper.make_node("Relu", ["x"], ["y"])), device="tpu"),
    )


def test_external_data_does_not_leave_its_folder(tmp_path):
    """A model may not read any file of the machine."""
    tensor = helper.make_tensor("w", TensorProto.FLOAT, [1], [1.0])
    tensor.ClearField("float_data")
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "../../../../etc/hostname"
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "w"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])],
        [tensor],
    )
    path = tmp_path / "m.onnx"
    path.write_bytes(
        helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8
        ).SerializeToString()
    )
    with pytest.raises(lamina.LaminaError):
        lamina.onnx.load(path, device="cpu")


def test_the_oldest_and_the_newest_opsets():
    for opset in (7, onnx.defs.onnx_opset_version()):
        loaded = lamina.onnx.load(model(helper.make_node("Relu", ["x"], ["y"]), opset=opset), device="cpu")
        assert loaded.run({"x": -np.ones((2, 3), np.float32)})["y"].max() == 0
