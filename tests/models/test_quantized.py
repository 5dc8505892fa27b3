"""A small network quantised in every form that onnxruntime.quantization writes, against ONNX Runtime."""

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)

import lamina
from helpers import normal

# Formats, the dtype of activations, scales per channel of a weight.
STATIC = [
    (format, activations, per_channel)
    for format in (QuantFormat.QDQ, QuantFormat.QOperator)
    for activations in (QuantType.QUInt8, QuantType.QInt8)
    for per_channel in (False, True)
]
QUANTIZED = {
    QuantFormat.QDQ: {"QuantizeLinear", "DequantizeLinear"},
    QuantFormat.QOperator: {"QuantizeLinear", "QLinearConv", "QLinearMatMul", "DequantizeLinear"},
}


def network():
    """Convolutions plain, depthwise and of 1 x 1, a pool and a product, in float32."""
    weights = {
        "w0": normal(8, 3, 3, 3) * 0.3,
        "b0": normal(8, seed=1),
        "w1": normal(8, 1, 3, 3, seed=2) * 0.5,
        "w2": normal(16, 8, 1, 1, seed=3) * 0.4,
        "b2": normal(16, seed=4),
        "w3": normal(16 * 16, 10, seed=5) * 0.1,
    }
    nodes = [
        helper.make_node("Conv", ["x", "w0", "b0"], ["c0"], pads=[1, 1, 1, 1], strides=[2, 2]),
        helper.make_node("Relu", ["c0"], ["r0"]),
        helper.make_node("Conv", ["r0", "w1"], ["c1"], pads=[1, 1, 1, 1], group=8),
        helper.make_node("Conv", ["c1", "w2", "b2"], ["c2"]),
        helper.make_node("MaxPool", ["c2"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("MatMul", ["f", "w3"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 3, 16, 16])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2, 10])],
        [numpy_helper.from_array(w.astype(np.float32), name) for name, w in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def picture(seed):
    return normal(2, 3, 16, 16, seed=seed).astype(np.float32)


class Pictures(CalibrationDataReader):
    """What the ranges of activations are taken from."""

    def __init__(self):
        self.left = iter(range(20, 28))

    def get_next(self):
        seed = next(self.left, None)
        return None if seed is None else {"x": picture(seed)}


def runtime(model, x):
    """ONNX Runtime, each node as it is written."""
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})[0]


def static(path, format, activations, per_channel):
    # With 7 bits of weight no instruction that ONNX Runtime uses saturates.
    quantize_static(
        network(),
        path,
        Pictures(),
        quant_format=format,
        activation_type=activations,
        weight_type=QuantType.QInt8,
        per_channel=per_channel,
        reduce_range=True,
    )
    return onnx.load(path)


@pytest.mark.parametrize("form", STATIC, ids=lambda form: "-".join(str(part) for part in form))
def test_static(device, tmp_path, form):
    model = static(tmp_path / "q.onnx", *form)
    assert QUANTIZED[form[0]] <= {node.op_type for node in model.graph.node}
    ours = lamina.onnx.load(model.SerializeToString(), device=device, strict=True)
    x = picture(0)
    (got,) = ours.run({"x": x}).values()
    wanted = runtime(model, x)
    # The outputs are codes times the last scale: sums in float32 may tip a code to its neighbour.
    scale = next(
        numpy_helper.to_array(weight) for weight in model.graph.initializer if weight.name == "y_scale"
    )
    apart = np.rint((got - wanted) / scale)
    assert np.abs(apart).max() <= 1
    assert (apart != 0).mean() < 0.2
    assert len(np.unique(wanted)) > 10


def test_dynamic(device, tmp_path):
    path = tmp_path / "q.onnx"
    quantize_dynamic(network(), path, weight_type=QuantType.QInt8, reduce_range=True)
    model = onnx.load(path)
    operators = {node.op_type for node in model.graph.node}
    assert {"DynamicQuantizeLinear", "MatMulInteger"} <= operators
    ours = lamina.onnx.load(model.SerializeToString(), device=device, strict=True)
    x = picture(0)
    (got,) = ours.run({"x": x}).values()
    lamina.testing.assert_close(got, runtime(model, x), "model")
