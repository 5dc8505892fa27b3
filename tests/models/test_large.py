"""Weights beside the model, in files of more than 2 and 4 GB; on disk they are mostly holes."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import lamina


def beside(path, shape, elem_type, offset):
    """y = w[i] with w of `shape` at `offset` of a file beside the model."""
    weight = TensorProto(name="w", dims=shape, data_type=elem_type, data_location=TensorProto.EXTERNAL)
    for key, value in (("location", "weights.bin"), ("offset", str(offset))):
        weight.external_data.add(key=key, value=value)
    graph = helper.make_graph(
        [helper.make_node("Gather", ["w", "i"], ["y"])],
        "g",
        [helper.make_tensor_value_info("i", TensorProto.INT64, ["N"])],
        [helper.make_tensor_value_info("y", elem_type, None)],
        [weight],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, path)


def with_holes(path, size, pieces):
    """A file of `size` bytes, zeros but for these pieces."""
    with path.open("wb") as file:
        file.truncate(size)
        for offset, data in pieces:
            file.seek(offset)
            file.write(data)


def test_weights_far_into_a_file(device, tmp_path):
    offset = 9 * 2**29 + 4096
    rows = np.arange(12, dtype=np.float32).reshape(4, 3)
    with_holes(tmp_path / "weights.bin", offset + rows.nbytes, [(offset, rows.tobytes())])
    beside(tmp_path / "m.onnx", rows.shape, TensorProto.FLOAT, offset)
    model = lamina.onnx.load(tmp_path / "m.onnx", device=device)
    np.testing.assert_array_equal(model.run({"i": np.array([3, 1])})["y"], rows[[3, 1]])


def test_weights_that_the_file_does_not_reach(tmp_path):
    with_holes(tmp_path / "weights.bin", 5 * 2**30, [])
    beside(tmp_path / "m.onnx", [4, 3], TensorProto.FLOAT, 5 * 2**30 - 8)
    with pytest.raises(lamina.ModelError, match=r"initializer 'w': external data: 'weights.bin': bytes "):
        lamina.onnx.load(tmp_path / "m.onnx", device="cpu")


def test_more_weights_than_a_message_holds_are_checked_without_reading(tmp_path):
    with_holes(tmp_path / "weights.bin", 3 * 2**30, [])
    beside(tmp_path / "m.onnx", [3 * 2**20, 1024], TensorProto.UINT8, 0)
    before = lamina.counters()
    assert lamina.onnx.check(tmp_path / "m.onnx", device="cpu")
    assert lamina.counters() == before


@pytest.mark.slow
def test_more_weights_than_a_message_holds(tmp_path):
    """Takes 5 GB of memory for a moment: the file's bytes and the weight made of them."""
    shape = [2200 * 1024, 1024]
    last = np.arange(1024).astype(np.uint8)
    size = shape[0] * shape[1]
    with_holes(tmp_path / "weights.bin", size, [(size - 1024, last.tobytes())])
    beside(tmp_path / "m.onnx", shape, TensorProto.UINT8, 0)
    model = lamina.onnx.load(tmp_path / "m.onnx", device="cpu")
    got = model.run({"i": np.array([shape[0] - 1, 0])})["y"]
    np.testing.assert_array_equal(got, [last, np.zeros(1024)])
