"""GELU and layer norm spelt out node by node, as exporters write them, are found and run as one op."""

import math

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

import lamina
from helpers import normal
from lamina import ops
from lamina.testing import assert_close
from oracle import activation
from oracle import norm as oracle

SHAPE = (2, 5, 33)
SQRT2, SLOPE, CUBE = math.sqrt(2), math.sqrt(2 / math.pi), 0.044715

# Nodes as (operator, inputs, output) from x to y; a number is an initializer.
EXACT = {
    "torch": [
        ("Div", ("x", SQRT2), "a"),
        ("Erf", ("a",), "b"),
        ("Add", ("b", 1.0), "c"),
        ("Mul", ("x", "c"), "d"),
        ("Mul", ("d", 0.5), "y"),
    ],
    "transformers": [
        ("Div", ("x", SQRT2), "a"),
        ("Erf", ("a",), "b"),
        ("Add", ("b", 1.0), "c"),
        ("Mul", ("x", 0.5), "d"),
        ("Mul", ("d", "c"), "y"),
    ],
    "tensorflow": [
        ("Mul", ("x", 1 / SQRT2), "a"),
        ("Erf", ("a",), "b"),
        ("Add", (1.0, "b"), "c"),
        ("Mul", (0.5, "c"), "d"),
        ("Mul", ("x", "d"), "y"),
    ],
    "square root in the graph": [
        ("Sqrt", (2.0,), "root"),
        ("Div", ("x", "root"), "a"),
        ("Erf", ("a",), "b"),
        ("Add", ("b", 1.0), "c"),
        ("Mul", ("x", "c"), "d"),
        ("Div", ("d", 2.0), "y"),
    ],
    "multiplied out": [
        ("Div", ("x", SQRT2), "a"),
        ("Erf", ("a",), "b"),
        ("Mul", ("x", 0.5), "half"),
        ("Mul", ("half", "b"), "c"),
        ("Add", ("half", "c"), "y"),
    ],
}
TANH = {
    "transformers": [
        ("Pow", ("x", 3.0), "a"),
        ("Mul", ("a", CUBE), "b"),
        ("Add", ("x", "b"), "c"),
        ("Mul", ("c", SLOPE), "d"),
        ("Tanh", ("d",), "e"),
        ("Add", ("e", 1.0), "f"),
        ("Mul", ("x", 0.5), "g"),
        ("Mul", ("g", "f"), "y"),
    ],
    "torch": [
        ("Mul", ("x", "x"), "square"),
        ("Mul", ("square", "x"), "cube"),
        ("Mul", (CUBE, "cube"), "b"),
        ("Add", ("x", "b"), "c"),
        ("Mul", (SLOPE, "c"), "d"),
        ("Tanh", ("d",), "e"),
        ("Add", (1.0, "e"), "f"),
        ("Mul", ("x", "f"), "g"),
        ("Mul", (0.5, "g"), "y"),
    ],
    "fast": [
        ("Mul", ("x", SLOPE), "a"),
        ("Mul", ("x", CUBE), "b"),
        ("Mul", ("b", "x"), "c"),
        ("Add", ("c", 1.0), "d"),
        ("Mul", ("a", "d"), "e"),
        ("Tanh", ("e",), "f"),
        ("Add", ("f", 1.0), "g"),
        ("Mul", ("x", 0.5), "h"),
        ("Mul", ("h", "g"), "y"),
    ],
}
GELUS = [("none", how) for how in EXACT] + [("tanh", how) for how in TANH]
EPS = 1e-12
CENTRED = [("ReduceMean", ("x",), "m"), ("Sub", ("x", "m"), "c")]
AFFINE = [("Mul", ("n", "weight"), "s"), ("Add", ("s", "bias"), "y")]
NORMS = {
    "torch": [
        *CENTRED,
        ("Pow", ("c", 2.0), "q"),
        ("ReduceMean", ("q",), "v"),
        ("Add", ("v", EPS), "e"),
        ("Sqrt", ("e",), "d"),
        ("Div", ("c", "d"), "n"),
        *AFFINE,
    ],
    "centred twice": [
        *CENTRED,
        ("Sub", ("x", "m"), "again"),
        ("Mul", ("again", "again"), "q"),
        ("ReduceMean", ("q",), "v"),
        ("Add", (EPS, "v"), "e"),
        ("Sqrt", ("e",), "d"),
        ("Div", ("c", "d"), "n"),
        ("Mul", ("weight", "n"), "s"),
        ("Add", ("bias", "s"), "y"),
    ],
    "reciprocal": [
        *CENTRED,
        ("Mul", ("c", "c"), "q"),
        ("ReduceMean", ("q",), "v"),
        ("Add", ("v", EPS), "e"),
        ("Sqrt", ("e",), "d"),
        ("Reciprocal", ("d",), "i"),
        ("Mul", ("c", "i"), "n"),
        *AFFINE,
    ],
}


def model(nodes, outputs=("y",), dtype="float32", axes=(-1,)):
    """As bytes, of operator set 14; weight and bias are constants of the last axis."""
    constants = {"weight": normal(SHAPE[-1], seed=1), "bias": normal(SHAPE[-1], seed=2)}

    def name(given):
        if isinstance(given, str):
            return given
        constants[f"number {given}"] = np.asarray(given)
        return f"number {given}"

    made = [
        helper.make_node(
            kind,
            [name(i) for i in inputs],
            [output],
            **({"axes": list(axes), "keepdims": 1} if kind == "ReduceMean" else {}),
        )
        for kind, inputs, output in nodes
    ]
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    graph = helper.make_graph(
        made,
        "spelt",
        [helper.make_tensor_value_info("x", kind, SHAPE)],
        [helper.make_tensor_value_info(n, kind, (2, 5, 1) if n == "m" else SHAPE) for n in outputs],
        [numpy_helper.from_array(v.astype(dtype), n) for n, v in constants.items()],
    )
    whole = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
    onnx.checker.check_model(whole)
    return whole.SerializeToString()


def steps(loaded, x):
    return [step.op for step in loaded.explain({"x": x}).steps]


def changed(nodes, old, new):
    return [(kind, tuple(new if i == old else i for i in inputs), out) for kind, inputs, out in nodes]


def spelling(approximate, how):
    return (EXACT if approximate == "none" else TANH)[how]


@pytest.mark.parametrize(("approximate", "how"), GELUS)
def test_gelu(device, approximate, how):
    x = (normal(*SHAPE) * 3).astype(np.float32)
    loaded = lamina.onnx.load(model(spelling(approximate, how)), device=device)
    assert steps(loaded, x) == ["gelu"]
    wanted = activation.gelu if approximate == "none" else activation.gelu_tanh
    assert_close(loaded.run({"x": x})["y"], wanted(x.astype(np.float64)), "map")


@pytest.mark.parametrize(("approximate", "how"), GELUS)
def test_gelu_in_float64(approximate, how):
    x = normal(*SHAPE) * 3
    loaded = lamina.onnx.load(model(spelling(approximate, how), dtype="float64"), device="cpu")
    assert steps(loaded, x) == ["gelu"]
    wanted = activation.gelu if approximate == "none" else activation.gelu_tanh
    assert_close(loaded.run({"x": x})["y"], wanted(x), "map")


@pytest.mark.parametrize(
    ("nodes", "old", "new"),
    [
        (EXACT["torch"], SQRT2, 1.4142),
        (EXACT["torch"], 0.5, 0.50001),
        (EXACT["torch"], 1.0, 2.0),
        (EXACT["tensorflow"], 1 / SQRT2, 0.7071),
        (TANH["transformers"], CUBE, 0.0447),
        (TANH["transformers"], SLOPE, 0.7979),
        (TANH["transformers"], 3.0, 2.0),
    ],
)
def test_another_constant_is_another_function(device, nodes, old, new):
    x = normal(*SHAPE).astype(np.float32)
    near = lamina.onnx.load(model(changed(nodes, old, new)), device=device)
    assert "gelu" not in steps(near, x)
    exact = lamina.onnx.load(model(nodes), device=device)
    assert np.abs(near.run({"x": x})["y"] - exact.run({"x": x})["y"]).max() > 1e-6


@pytest.mark.parametrize("also", ["a", "b", "c", "d"])
def test_a_gelu_of_which_more_is_wanted_stays(device, also):
    x = normal(*SHAPE).astype(np.float32)
    loaded = lamina.onnx.load(model(EXACT["torch"], ("y", also)), device=device)
    assert steps(loaded, x) == ["fused[5]"]
    assert_close(loaded.run({"x": x})["y"], activation.gelu(x.astype(np.float64)))


def recorded(x):
    return x * 0.5 * (1.0 + ops.erf(x / SQRT2))


def test_a_recorded_gelu(device):
    x = lamina.tensor(normal(*SHAPE).astype(np.float32), device=device)
    assert [step.op for step in lamina.explain(recorded(x)).steps] == ["gelu"]
    assert_close(recorded(x), activation.gelu(x.numpy().astype(np.float64)), "map")
    # The same graph with other numbers is another plan.
    for factor in (0.25, 0.5, 2.0):
        near = x * factor * (1.0 + ops.erf(x / SQRT2))
        assert_close(near, 2 * factor * activation.gelu(x.numpy().astype(np.float64)))


def test_gradients_of_a_recorded_gelu(device):
    x = lamina.tensor(normal(*SHAPE).astype(np.float32), device=device, requires_grad=True)
    y = recorded(x)
    ops.sum(y).backward()
    wide = x.numpy().astype(np.float64)
    assert_close(y, activation.gelu(wide))
    assert_close(x.grad, activation.gelu_slope(wide))


def row_oracle(x, axes=1):
    row = np.ones(x.shape[-axes:])
    w, b = (normal(SHAPE[-1], seed=i).astype(np.float32).astype(np.float64) for i in (1, 2))
    return oracle.layer_norm(x.astype(np.float64), row * w, row * b, EPS)[0]


@pytest.mark.parametrize("how", NORMS)
@pytest.mark.parametrize("axes", [(-1,), (2,)], ids=str)
def test_layer_norm(device, how, axes):
    x = (normal(*SHAPE) + 100).astype(np.float32)
    loaded = lamina.onnx.load(model(NORMS[how], axes=axes), device=device)
    assert steps(loaded, x) == ["layer_norm"]
    assert_close(loaded.run({"x": x})["y"], row_oracle(x))


@pytest.mark.parametrize(
    ("nodes", "outputs", "axes"),
    [
        (NORMS["torch"], ("y",), (1,)),  # not the last axis
        (NORMS["torch"], ("y",), (-2, -1)),  # weight and bias are not of a row's shape
        (changed(NORMS["torch"], 2.0, 3.0), ("y",), (-1,)),
        (NORMS["torch"], ("y", "m"), (-1,)),
        (NORMS["torch"], ("y", "n"), (-1,)),
        (changed(NORMS["torch"], "m", "bias"), ("y",), (-1,)),
    ],
    ids=["axis", "row", "cube", "mean wanted", "before weight wanted", "not the mean"],
)
def test_what_is_no_layer_norm_stays(device, nodes, outputs, axes):
    x = normal(*SHAPE).astype(np.float32)
    loaded = lamina.onnx.load(model(nodes, outputs, axes=axes), device=device)
    assert "layer_norm" not in steps(loaded, x)


def test_a_recorded_layer_norm(device):
    x = lamina.tensor(normal(*SHAPE).astype(np.float32), device=device)
    w, b = (lamina.tensor(normal(SHAPE[-1], seed=i).astype(np.float32), device=device) for i in (1, 2))

    def norm(x, eps):
        centred = x - ops.mean(x, -1, keepdim=True)
        variance = ops.mean(centred**2, -1, keepdim=True)
        return centred / ops.sqrt(variance + eps) * w + b

    for eps in (EPS, 0.5):
        assert [step.op for step in lamina.explain(norm(x, eps)).steps] == ["layer_norm"]
        row = [t.numpy().astype(np.float64) for t in (x, w, b)]
        assert_close(norm(x, eps), oracle.layer_norm(*row, eps)[0])


def test_gradients_of_a_recorded_layer_norm(device):
    x = lamina.tensor(normal(*SHAPE).astype(np.float32), device=device, requires_grad=True)
    centred = x - ops.mean(x, -1, keepdim=True)
    y = centred / ops.sqrt(ops.mean(centred**2, -1, keepdim=True) + EPS)
    gy = normal(*SHAPE, seed=3).astype(np.float32)
    ops.sum(y * lamina.tensor(gy, device=device)).backward()
    row = np.ones(SHAPE[-1])
    wide = x.numpy().astype(np.float64)
    assert_close(y, oracle.layer_norm(wide, row, 0 * row, EPS)[0])
    assert_close(x.grad, oracle.layer_norm_vjp(gy.astype(np.float64), wide, row, 0 * row, EPS)[0])
