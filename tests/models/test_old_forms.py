"""Operators as earlier operator sets had them, from 7 on: against ONNX Runtime, and models of that
time converted upwards by the onnx package."""

import warnings

import numpy as np
import onnx
import onnxruntime
import pytest
from conformance import PASSED, Verdict, judge
from data_cases import MISSING, DataCase, cases
from onnx import TensorProto, helper, numpy_helper, version_converter

import lamina
from helpers import normal
from lamina.testing import assert_close

NEWEST = onnx.defs.onnx_opset_version()


def i64(*values):
    return np.array(values, np.int64)


def f32(*shape):
    return normal(*shape).astype(np.float32)


# (operator, its operator sets of this form, attributes, inputs; all but the first are constants)
FORMS = [
    ("Softmax", (7, 12), {}, [f32(2, 3, 4)]),
    ("Softmax", (7, 12), {"axis": 2}, [f32(2, 3, 4)]),
    ("LogSoftmax", (7, 12), {"axis": 0}, [f32(2, 3, 4)]),
    ("Hardmax", (7, 12), {"axis": 1}, [f32(2, 3, 4)]),
    ("Softmax", (13, 21), {}, [f32(2, 3, 4)]),
    ("Clip", (7, 10), {"min": -0.5, "max": 0.5}, [f32(2, 3)]),
    ("Clip", (11, 12), {}, [f32(2, 3), np.float32(-0.5), np.float32(0.5)]),
    ("Pad", (7, 10), {"pads": [0, 1, 2, 0], "value": 1.5}, [f32(2, 3)]),
    ("Pad", (7, 10), {"pads": [0, 1, 1, 2], "mode": "reflect"}, [f32(3, 4)]),
    ("Pad", (11, 12), {"mode": "edge"}, [f32(2, 3), i64(0, 1, 2, 0)]),
    ("Slice", (7, 9), {"starts": [0, -2], "ends": [1, 100], "axes": [0, 1]}, [f32(2, 3)]),
    ("Slice", (10, 12), {}, [f32(4, 5), i64(0, 4), i64(4, 0), i64(0, 1), i64(2, -2)]),
    ("Squeeze", (7, 12), {"axes": [0, 2]}, [f32(1, 3, 1, 4)]),
    ("Squeeze", (7, 12), {}, [f32(1, 3, 1, 4)]),
    ("Unsqueeze", (7, 12), {"axes": [0, 3]}, [f32(2, 3)]),
    ("Split", (7, 12), {"axis": 1, "split": [1, 3]}, [f32(2, 4)]),
    ("Split", (7, 12), {"axis": -1}, [f32(2, 4)]),
    ("ReduceSum", (7, 12), {"axes": [0, 2], "keepdims": 0}, [f32(2, 3, 4)]),
    ("ReduceMean", (7, 17), {"axes": [1]}, [f32(2, 3, 4)]),
    ("ReduceMax", (7, 17), {"axes": [-1], "keepdims": 0}, [f32(2, 3, 4)]),
    ("ReduceL2", (7, 17), {}, [f32(2, 3, 4)]),
    ("ReduceLogSumExp", (7, 17), {"axes": [0]}, [f32(2, 3)]),
    ("ArgMax", (7, 10), {"axis": 1}, [f32(2, 5)]),
    ("ArgMin", (11, 12), {"axis": -1, "keepdims": 0}, [f32(2, 5)]),
    ("TopK", (7, 9), {"axis": 1, "k": 2}, [f32(2, 5)]),
    ("TopK", (10, 10), {"axis": 0}, [f32(5, 3), i64(2)]),
    ("TopK", (11, 20), {"axis": 0, "largest": 0}, [f32(5, 3), i64(2)]),
    ("Upsample", (7, 8), {"mode": "nearest", "scales": [1.0, 1.0, 2.0, 3.0]}, [f32(1, 2, 3, 2)]),
    ("Upsample", (7, 8), {"mode": "linear", "scales": [1.0, 1.0, 2.0, 2.0]}, [f32(1, 2, 3, 2)]),
    ("Upsample", (9, 9), {"mode": "nearest"}, [f32(1, 2, 3, 2), np.float32([1, 1, 2, 2])]),
    ("Resize", (10, 10), {"mode": "nearest"}, [f32(1, 2, 4, 4), np.float32([1, 1, 0.5, 2])]),
    ("Resize", (10, 10), {"mode": "linear"}, [f32(1, 2, 4, 4), np.float32([1, 1, 2, 2])]),
    (
        "Resize",
        (11, 12),
        {"mode": "linear", "coordinate_transformation_mode": "align_corners"},
        [f32(1, 2, 4, 4), np.zeros(0, np.float32), np.zeros(0, np.float32), i64(1, 2, 7, 5)],
    ),
    ("Dropout", (7, 11), {"ratio": 0.3}, [f32(2, 3)]),
    (
        "BatchNormalization",
        (7, 13),
        {"epsilon": 1e-3},
        [f32(2, 3, 4), *(np.abs(f32(3)) + 0.5 for _ in range(4))],
    ),
    ("Gemm", (7, 10), {"alpha": 0.5, "beta": 2.0, "transB": 1}, [f32(2, 3), f32(4, 3), f32(4)]),
    ("Flatten", (7, 12), {"axis": 2}, [f32(2, 3, 4)]),
    ("Gather", (7, 12), {"axis": 1}, [f32(2, 5), i64(3, 0)]),
    ("Scatter", (9, 10), {"axis": 1}, [f32(2, 4), i64(1, 0, 3, 2).reshape(2, 2), f32(2, 2)]),
    ("ScatterElements", (11, 15), {"axis": 0}, [f32(4, 2), i64(1, 0, 3, 2).reshape(2, 2), f32(2, 2)]),
    ("Cast", (7, 12), {"to": TensorProto.INT32}, [f32(2, 3) * 5]),
    ("Concat", (7, 12), {"axis": 1}, [f32(2, 3), f32(2, 1)]),
    ("PRelu", (7, 15), {}, [f32(2, 3, 4), f32(3, 1)]),
    ("Max", (7, 12), {}, [f32(2, 3), f32(2, 3), f32(2, 3)]),
    ("Sum", (8, 12), {}, [f32(2, 3), f32(3)]),
    ("Mean", (8, 12), {}, [f32(2, 3), f32(3)]),
    ("Add", (7, 13), {}, [f32(2, 3), f32(3)]),
    ("MaxPool", (7, 11), {"kernel_shape": [2, 2], "auto_pad": "SAME_UPPER"}, [f32(1, 2, 5, 5)]),
    ("AveragePool", (7, 18), {"kernel_shape": [3], "pads": [1, 1]}, [f32(1, 2, 6)]),
    ("LRN", (7, 12), {"size": 3}, [f32(1, 4, 3, 3)]),
    ("LpPool", (7, 17), {"kernel_shape": [2, 2], "p": 3}, [f32(1, 2, 4, 4)]),
    ("DepthToSpace", (7, 10), {"blocksize": 2}, [f32(1, 8, 2, 3)]),
    ("OneHot", (9, 10), {"axis": 0}, [i64(0, 2), i64(3), np.float32([0, 1])]),
    ("Where", (9, 15), {}, [f32(2, 3) > 0, f32(2, 3), f32(3)]),
    ("EyeLike", (9, 21), {"k": 1}, [f32(3, 4)]),
    ("InstanceNormalization", (7, 21), {}, [f32(2, 3, 4, 4), f32(3), f32(3)]),
    ("Elu", (7, 21), {"alpha": 0.7}, [f32(2, 3)]),
    (
        "ConvTranspose",
        (7, 21),
        {"strides": [2, 2], "output_padding": [1, 1]},
        [f32(1, 2, 3, 3), f32(2, 2, 3, 3)],
    ),
    ("Expand", (8, 12), {}, [f32(3, 1), i64(2, 3, 4)]),
    ("Tile", (7, 12), {}, [f32(2, 3), i64(2, 1)]),
    ("GlobalLpPool", (7, 21), {"p": 1}, [f32(1, 2, 4, 4)]),
    ("MeanVarianceNormalization", (9, 12), {}, [f32(2, 3, 4, 4)]),
    ("CumSum", (11, 13), {"exclusive": 1}, [f32(4), np.array(0)]),
    ("ReduceSumSquare", (7, 17), {"axes": [1]}, [f32(2, 3)]),
]


def written(name, opset, attributes, inputs):
    """The operator alone, its first input given and the others constants."""
    names = [f"i{at}" for at in range(len(inputs))]
    count = {"TopK": 2, "Split": 2}.get(name, 1)
    node = helper.make_node(name, names, [f"o{i}" for i in range(count)], **attributes)
    first = np.asarray(inputs[0])
    graph = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info("i0", helper.np_dtype_to_tensor_dtype(first.dtype), first.shape)],
        [onnx.ValueInfoProto(name=f"o{i}") for i in range(count)],
        [numpy_helper.from_array(np.asarray(a), n) for n, a in zip(names[1:], inputs[1:], strict=True)],
    )
    ir = 3 if opset < 9 else 8
    if ir == 3:
        # Then every initializer was an input, too.
        more = [helper.make_tensor_value_info(t.name, t.data_type, t.dims) for t in graph.initializer]
        graph.input.extend(more)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir)
    return onnx.shape_inference.infer_shapes(made).SerializeToString()


@pytest.mark.parametrize(
    ("name", "opset", "attributes", "inputs"),
    [
        pytest.param(name, opset, attributes, inputs, id=f"{name}-{opset}-{at}")
        for at, (name, (first, last), attributes, inputs) in enumerate(FORMS)
        for opset in range(first, last + 1)
    ],
)
def test_form(name, opset, attributes, inputs):
    data = written(name, opset, attributes, inputs)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    wanted = session.run(None, {"i0": inputs[0]})
    got = lamina.onnx.load(data, device="cpu").run({"i0": inputs[0]})
    assert len(got) == len(wanted)
    for have, want in zip(got.values(), wanted, strict=True):
        assert have.dtype == want.dtype
        assert_close(have, want, "sum", "float32")


# The package's converter leaves PRelu's slope as it was before operator set 7, when it went along
# the channels: what it makes is no right model.
CONVERTED = [name for name in cases() if name.startswith("pytorch-") and "multiparam" not in name]


@pytest.mark.parametrize("opset", [8, 10, 11, 13, 14, 16, 18, 20, 21, 23, NEWEST])
def test_models_converted_upwards(opset):
    judged = 0
    for name in CONVERTED:
        case = cases()[name]
        if name in MISSING or case.model.opset_import[0].version >= opset:
            continue
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                model = version_converter.convert_version(case.model, opset)
        except RuntimeError:
            continue  # The package has no adapter for one of its operators.
        converted = DataCase(name, case.path, model=model)
        verdict = judge(converted, "cpu")
        assert (name, verdict) == (name, Verdict(PASSED))
        judged += 1
    assert judged > 60
