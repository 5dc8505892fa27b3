"""LayerNormalization of models, where onnx's own cases have none: half precision, a scale that broadcasts."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import lamina
from helpers import normal
from lamina.testing import assert_close
from oracle import norm as oracle

EPS = 1e-3
# Shapes of scale and bias for x of (2, 5, 33) with rows of (5, 33).
AFFINE = [((5, 33), (5, 33)), ((33,), (5, 1)), ((1,), None)]


def model(dtype, affine, outputs):
    """As bytes; named outputs only, the statistics in float32."""
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    inputs = [("x", (2, 5, 33)), *((n, s) for n, s in zip("wb", affine, strict=True) if s is not None)]
    kinds = {"y": kind, "mean": TensorProto.FLOAT, "inverse": TensorProto.FLOAT}
    names = [name if name in outputs else "" for name in kinds]
    node = helper.make_node(
        "LayerNormalization", [n for n, _ in inputs], names, axis=1, epsilon=EPS, stash_type=1
    )
    graph = helper.make_graph(
        [node],
        "layer_norm",
        [helper.make_tensor_value_info(n, kind, s) for n, s in inputs],
        [helper.make_tensor_value_info(n, kinds[n], (2, 5, 33) if n == "y" else (2, 1, 1)) for n in outputs],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(made)
    return made.SerializeToString()


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("affine", AFFINE, ids=str)
@pytest.mark.parametrize("outputs", [("y",), ("y", "mean", "inverse"), ("y", "inverse")], ids=str)
def test_import(device, dtype, affine, outputs):
    shapes = [(2, 5, 33), *(s for s in affine if s is not None)]
    inputs = {
        n: normal(*s, seed=i).astype(dtype) for i, (n, s) in enumerate(zip("xwb", shapes, strict=False))
    }
    results = lamina.onnx.load(model(dtype, affine, outputs), device=device).run(inputs)
    x, w, b = (inputs.get(n, np.zeros(1)).astype(np.float64) for n in "xwb")
    row = np.ones((5, 33))
    wanted = dict(zip(("y", "mean", "inverse"), oracle.layer_norm(x, row * w, row * b, EPS), strict=True))
    for name in outputs:
        assert results[name].dtype == (dtype if name == "y" else "float32")
        assert_close(results[name], wanted[name])
