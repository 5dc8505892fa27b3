"""Weights of 16-bit floats stay so in products on the CPU, which widen them as they read them."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import lamina
from helpers import normal
from lamina.testing import assert_close

HALF, SINGLE = TensorProto.FLOAT16, TensorProto.FLOAT
WEIGHTS = {"w": normal(70, 150, seed=1), "b": normal(150, seed=2), "v": normal(40, 150, seed=3)}
WEIGHTS = {name: value.astype(np.float16) for name, value in WEIGHTS.items()}


def model(nodes, shape=("N", 70)):
    """As bytes, with the weights that its nodes read."""
    read = {name for node in nodes for name in node.input}
    graph = helper.make_graph(
        nodes,
        "half",
        [helper.make_tensor_value_info("x", HALF, shape)],
        [helper.make_tensor_value_info("y", HALF, ("R", "C"))],
        [numpy_helper.from_array(value, name) for name, value in WEIGHTS.items() if name in read],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(made)
    return made.SerializeToString()


def layers():
    return [
        helper.make_node("MatMul", ["x", "w"], ["a"]),
        helper.make_node("Add", ["a", "b"], ["c"]),
        helper.make_node("Relu", ["c"], ["d"]),
        helper.make_node("Gemm", ["d", "v"], ["y"], transB=1),
    ]


def products(loaded, x):
    return [step.kernel for step in loaded.explain({"x": x}).steps if step.op in ("matmul", "gemm")]


def widens():
    """Whether the kernels in use have an instruction for it."""
    return lamina.devices()[0]["isa"] != "portable"


@pytest.mark.parametrize("rows", [1, 2, 5, 14, 33, 200])
def test_values(device, rows):
    x = normal(rows, 70).astype(np.float16)
    loaded = lamina.onnx.load(model(layers()), device=device)
    got = loaded.run({"x": x})["y"]
    w, b, v = (WEIGHTS[name].astype(np.float64) for name in "wbv")
    assert got.dtype == np.float16
    assert_close(got, np.maximum(x.astype(np.float64) @ w + b, 0) @ v.T)
    halves = [", float16 weight" in kernel for kernel in products(loaded, x)]
    assert halves == [device == "cpu" and widens()] * 2


@pytest.mark.parametrize("rows", [1, 9, 130])
def test_the_same_as_a_weight_cast_first(rows):
    cast = [
        helper.make_node("Cast", ["x"], ["single"], to=SINGLE),
        helper.make_node("Cast", ["w"], ["wide"], to=SINGLE),
        helper.make_node("MatMul", ["single", "wide"], ["product"]),
        helper.make_node("Cast", ["product"], ["y"], to=HALF),
    ]
    x = normal(rows, 70).astype(np.float16)
    plain = lamina.onnx.load(model([helper.make_node("MatMul", ["x", "w"], ["y"])]), device="cpu")
    first = lamina.onnx.load(model(cast), device="cpu")
    np.testing.assert_array_equal(plain.run({"x": x})["y"], first.run({"x": x})["y"])


def test_products_of_one_column_a_left_weight_and_a_batch_of_weights():
    """What no such kernel takes is widened ahead."""
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["a"]),  # (2, 40, 150)
        helper.make_node("MatMul", ["a", "b"], ["c"]),  # (2, 40)
        helper.make_node("Transpose", ["a"], ["t"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["v", "t"], ["d"]),  # (2, 40, 40)
        helper.make_node("Transpose", ["d"], ["e"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["e", "v"], ["f"]),  # (2, 40, 150)
        helper.make_node("MatMul", ["f", "b"], ["g"]),
        helper.make_node("Add", ["c", "g"], ["y"]),
    ]
    x = normal(2, 40, 70).astype(np.float16) * np.float16(0.1)
    got = lamina.onnx.load(model(nodes, ("N", 40, 70)), device="cpu").run({"x": x})["y"]
    w, b, v = (WEIGHTS[name].astype(np.float64) for name in "wbv")
    a = x.astype(np.float64) @ w
    wanted = a @ b + (v @ a.transpose(0, 2, 1)).transpose(0, 2, 1) @ v @ b
    assert_close(got, wanted)


def test_a_product_seen_transposed():
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["a"]),
        helper.make_node("Transpose", ["a"], ["t"], perm=[1, 0]),
        helper.make_node("Relu", ["t"], ["y"]),
    ]
    x = normal(20, 70).astype(np.float16)
    got = lamina.onnx.load(model(nodes), device="cpu").run({"x": x})["y"]
    assert_close(got, np.maximum(x.astype(np.float64) @ WEIGHTS["w"], 0).T)


def test_the_softmax_of_a_products_rows_and_the_product_of_that():
    """What would be one kernel, were the weights float32."""
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["a"]),
        helper.make_node("Softmax", ["a"], ["s"], axis=-1),
        helper.make_node("Transpose", ["v"], ["t"], perm=[1, 0]),
        helper.make_node("MatMul", ["s", "t"], ["y"]),
    ]
    x = normal(20, 70).astype(np.float16)
    got = lamina.onnx.load(model(nodes), device="cpu").run({"x": x})["y"]
    scores = x.astype(np.float64) @ WEIGHTS["w"]
    shares = np.exp(scores - scores.max(-1, keepdims=True))
    assert_close(got, shares / shares.sum(-1, keepdims=True) @ WEIGHTS["v"].astype(np.float64).T)


def test_gradients_flow_through_such_a_model():
    loaded = lamina.onnx.load(model(layers()), device="cpu")
    x = lamina.tensor(normal(3, 70).astype(np.float16), requires_grad=True)
    (gradient,) = lamina.grad([loaded(x).sum()], [x])
    w, b, v = (WEIGHTS[name].astype(np.float64) for name in "wbv")
    passed = x.detach().numpy().astype(np.float64) @ w + b > 0
    assert_close(gradient, (np.ones((3, 40)) @ v * passed) @ w.T)
