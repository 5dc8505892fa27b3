"""Elementwise ops: values, gradients, broadcasting, dtypes."""

import numpy as np
import pytest

import lamina
from helpers import compare, leaf, normal, raises
from lamina import ops
from lamina.testing import assert_close
from oracle import elementwise as oracle

POSITIVE = {"sqrt", "rsqrt", "log", "reciprocal"}
STEPS = {"sign", "floor", "ceil", "round", "trunc"}
# Where they are defined, away from where their derivatives have no bound.
WITHIN = {"asin", "acos", "atanh"}
# Astride the vectors of every instruction set and one workgroup.
LENGTHS = (0, 1, 7, 31, 32, 33, 1025)


def values(name, shape):
    x = normal(*shape) * 3
    if name in POSITIVE:
        return np.abs(x) + 0.1
    if name in WITHIN:
        return np.tanh(x / 3) * 0.95
    if name == "acosh":
        return np.abs(x) + 1.1
    if name == "log1p":
        return np.abs(x) - 0.9
    return x + (0.01 * np.sign(x) if name in {"abs", "relu", *STEPS} else 0)


@pytest.mark.parametrize("name", oracle.UNARY)
@pytest.mark.parametrize("length", LENGTHS)
def test_unary(device, name, length):
    gradients = None if name in STEPS else oracle.unary_vjp(name)
    x = values(name, (3, length))
    compare(getattr(ops, name), [x], device, oracle.UNARY[name][0], gradients, "map")


FAR_OUT = [
    "exp",
    "tanh",
    "sigmoid",
    "erf",
    "log",
    "sqrt",
    "sin",
    "cos",
    "expm1",
    "tan",
    "atan",
    "sinh",
    "asinh",
]


@pytest.mark.parametrize("name", FAR_OUT)
def test_unary_far_out(device, name):
    """Large and tiny arguments, where built-in approximations are at their loosest."""
    x = np.array([1e-30, 1e-6, 1e-3, 0.5, 1, 5, 10, 40, 80.0])
    x = x if name in POSITIVE else np.concatenate([-x[::-1], [0.0], x])
    compare(getattr(ops, name), [x], device, oracle.UNARY[name][0], None, "map")


NOT_FINITE = ["exp", "tanh", "sigmoid", "erf", "relu", "sqrt", "log", "abs", "neg"]
NOT_FINITE += ["trunc", "expm1", "log1p", "asin", "sinh", "cosh", "asinh", "acosh", "atanh"]


@pytest.mark.parametrize("name", NOT_FINITE)
def test_unary_not_finite(device, name):
    x = np.array([np.nan, np.inf, -np.inf, 0.0])
    with np.errstate(all="ignore"):
        wanted = oracle.UNARY[name][0](x)
    np.testing.assert_array_equal(getattr(ops, name)(leaf(x, device)).numpy(), wanted.astype(np.float32))


SHAPES = [
    ((33,), (33,)),
    ((2, 3, 31), (31,)),
    ((4, 1, 5), (3, 1)),
    ((1,), (2, 33)),
    ((), (2, 3)),
    ((0, 4), (1, 4)),
]


@pytest.mark.parametrize("name", oracle.BINARY)
@pytest.mark.parametrize("shapes", SHAPES, ids=str)
def test_binary(device, name, shapes):
    a, b = (normal(*shape, seed=at) * 2 for at, shape in enumerate(shapes))
    if name == "pow":
        a = np.abs(a) + 0.1
    if name in ("div", "remainder", "fmod"):
        b = np.where(np.abs(b) < 0.3, 0.7, b)
    kind = "sum" if a.shape != b.shape else "map"
    compare(getattr(ops, name), [a, b], device, oracle.BINARY[name][0], oracle.binary_vjp(name), kind)


@pytest.mark.parametrize("name", ["maximum", "minimum"])
def test_ties_share_the_gradient(device, name):
    a, b = np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.5, 2.0])
    compare(getattr(ops, name), [a, b], device, oracle.BINARY[name][0], oracle.binary_vjp(name), "map")


@pytest.mark.parametrize("name", oracle.COMPARE)
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int32", "int64", "uint8"])
def test_compare(device, name, dtype):
    if device != "cpu" and dtype == "float64":
        pytest.skip("float64 lives on the CPU: to(gpu) raises, and test_tensor asserts that it does")
    a, b = (lamina_array(seed, dtype) for seed in (0, 1))
    out = getattr(ops, name)(leaf(a, device, dtype), leaf(b, device, dtype))
    assert out.dtype == lamina.bool_
    np.testing.assert_array_equal(out.numpy(), oracle.COMPARE[name](a, b))


def lamina_array(seed, dtype):
    return np.random.default_rng(seed).integers(0, 4, (3, 33)).astype(dtype)


@pytest.mark.parametrize("name", ["logical_and", "logical_or", "logical_xor"])
def test_logical(device, name):
    a, b = (np.random.default_rng(seed).integers(0, 2, (5, 33)).astype(bool) for seed in (0, 1))
    out = getattr(ops, name)(leaf(a, device), leaf(b, device))
    np.testing.assert_array_equal(out.numpy(), getattr(np, name)(a, b))


def test_logical_not(device):
    a = np.array([True, False, True])
    np.testing.assert_array_equal(ops.logical_not(leaf(a, device)).numpy(), ~a)


@pytest.mark.parametrize("name", ["isnan", "isinf", "isfinite"])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_kinds_of_numbers(device, name, dtype):
    x = np.array([[np.nan, 1.0, np.inf], [-np.inf, -np.nan, 0.0]])
    np.testing.assert_array_equal(getattr(ops, name)(leaf(x, device, dtype)).numpy(), getattr(np, name)(x))


INTEGERS = [f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)]


@pytest.mark.parametrize("name", oracle.BITS)
@pytest.mark.parametrize("dtype", INTEGERS)
def test_bits(device, name, dtype):
    info = np.iinfo(dtype)
    a = np.random.default_rng(0).integers(info.min, info.max, 199, dtype, endpoint=True)
    b = np.random.default_rng(1).integers(info.min, info.max, 199, dtype, endpoint=True)
    if "shift" in name:
        b[:150] = np.arange(150) % (8 * info.dtype.itemsize + 2)
    out = getattr(ops, name)(leaf(a, device), leaf(b, device))
    np.testing.assert_array_equal(out.numpy(), oracle.BITS[name](a, b))
    assert lamina.explain(getattr(ops, name)(leaf(a, device), leaf(b, device))).fallbacks == []


@pytest.mark.parametrize("dtype", INTEGERS)
def test_bitwise_not(device, dtype):
    info = np.iinfo(dtype)
    a = np.array([0, 1, 5, info.max, info.min], dtype)
    np.testing.assert_array_equal(ops.bitwise_not(leaf(a, device)).numpy(), ~a)


def test_bits_of_bool_are_logic(device):
    a, b = np.array([True, True, False]), np.array([True, False, False])
    np.testing.assert_array_equal(ops.bitwise_xor(leaf(a, device), leaf(b, device)).numpy(), a ^ b)
    np.testing.assert_array_equal(ops.bitwise_not(leaf(a, device)).numpy(), ~a)


def test_floats_have_no_bits():
    for name in ("bitwise_not", "bitwise_and"):
        x = lamina.tensor([1.0])
        raises(
            lamina.UnsupportedError,
            f"{name}: is not defined for float32; cast it first",
            lambda name=name, x=x: getattr(ops, name)(*[x] * (1 if name == "bitwise_not" else 2)),
        )


@pytest.mark.parametrize("name", ["add", "sub", "mul"])
@pytest.mark.parametrize("dtype", ["int32", "int64", "uint8"])
def test_integers_wrap_as_numpy_does(device, name, dtype):
    top = np.iinfo(dtype).max
    a = np.array([0, 1, 2, 5, top, top - 1], dtype)
    b = np.array([1, 3, 2, 7, 2, top], dtype)
    np_name = {"add": np.add, "sub": np.subtract, "mul": np.multiply}[name]
    with np.errstate(over="ignore"):
        wanted = np_name(a, b)
    np.testing.assert_array_equal(getattr(ops, name)(leaf(a, device), leaf(b, device)).numpy(), wanted)


def test_float16_is_stored_narrow_and_computed_wide(device):
    a, b = normal(5, 33), normal(5, 33, seed=1)
    compare(ops.mul, [a, b], device, np.multiply, oracle.binary_vjp("mul"), "map", "float16")
    compare(ops.tanh, [a], device, np.tanh, oracle.unary_vjp("tanh"), "map", "float16")


@pytest.mark.parametrize("bounds", [(-1.0, 1.0), (None, 0.5), (-0.5, None)], ids=str)
def test_clip(device, bounds):
    low, high = bounds
    x = normal(3, 33)
    compare(
        lambda t: ops.clip(t, low, high),
        [x],
        device,
        lambda a: oracle.clip(a, low, high),
        lambda gy, a: oracle.clip_vjp(gy, a, low, high),
        "map",
    )


def test_leaky_relu(device):
    compare(
        lambda t: ops.leaky_relu(t, 0.2),
        [normal(3, 33)],
        device,
        lambda a: oracle.leaky_relu(a, 0.2),
        lambda gy, a: oracle.leaky_relu_vjp(gy, a, 0.2),
        "map",
    )


def test_where(device):
    condition = np.random.default_rng(0).integers(0, 2, (4, 1, 33)).astype(bool)
    a, b = normal(3, 33), normal(4, 3, 1, seed=1)
    compare(ops.where, [condition, a, b], device, np.where, oracle.where_vjp)


def test_a_chain_of_many_ops_fuses_and_stays_right(device):
    def chain(t):
        for _ in range(6):
            t = ops.tanh(t * 1.1 + 0.1) - 0.05
        return t

    def reference(x):
        for _ in range(6):
            x = np.tanh(x * 1.1 + 0.1) - 0.05
        return x

    x = normal(7, 129)
    assert_close(chain(leaf(x, device)), reference(x.astype(np.float32).astype(np.float64)))


def test_every_gradient_in_float64():
    for name in oracle.UNARY:
        x = values(name, (2, 3))
        if name not in STEPS:
            lamina.testing.check_gradients(getattr(ops, name), [x])
    for name in ("add", "sub", "mul", "div", "pow", "maximum", "minimum"):
        a, b = np.abs(normal(2, 3)) + 0.2, np.abs(normal(1, 3, seed=1)) + 0.3
        lamina.testing.check_gradients(getattr(ops, name), [a, b])
    lamina.testing.check_gradients(lambda t: ops.clip(t, -1.0, 1.0), [normal(2, 3)])
    lamina.testing.check_gradients(lambda t: ops.leaky_relu(t, 0.2), [normal(2, 3)])


def test_gradients_of_gradients(device):
    """d/dx of tanh(x) x is t + x (1 - t^2), and once more 2 (1 - t^2) (1 - x t)."""
    x = leaf(normal(33), device)
    (first,) = lamina.grad(ops.sum(ops.tanh(x) * x), [x], create_graph=True)
    (second,) = lamina.grad(ops.sum(first), [x])
    a = x.detach().numpy().astype(np.float64)
    t = np.tanh(a)
    assert_close(first, t + a * (1 - t * t), "map")
    assert_close(second, 2 * (1 - t * t) * (1 - a * t), "sum")


def test_shapes_that_do_not_broadcast():
    raises(
        lamina.ShapeError,
        "add: shapes [2, 3] and [4] do not broadcast: "
        "axis 1 has 3 and 4; they must be equal or one of them 1",
        lambda: lamina.tensor(np.zeros((2, 3))) + lamina.tensor(np.zeros(4)),
    )
