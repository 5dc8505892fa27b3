"""Reductions, argmax, softmax."""

import numpy as np
import pytest

import lamina
from helpers import compare, leaf, normal
from lamina import ops
from oracle import reduce as oracle

PAIRS = {
    "sum": (oracle.total, oracle.total_vjp),
    "mean": (oracle.mean, oracle.mean_vjp),
    "prod": (oracle.prod, oracle.prod_vjp),
    "max": (oracle.largest, oracle.largest_vjp),
    "min": (oracle.smallest, oracle.smallest_vjp),
}
CASES = [
    ((33,), None, False),
    ((4, 31, 5), 1, False),
    ((4, 32, 5), [0, 2], True),
    ((3, 2, 1025), -1, False),
    ((1025, 3), 0, True),
    ((2, 3, 4, 5), [1, -1], False),
    ((), None, False),
]


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_reduce(device, name, case):
    shape, dim, keepdim = case
    x = normal(*shape)
    if name == "prod":
        if x.size > 700:
            x = x[..., :33] if shape[-1] > 33 else x[:33]
        x = 1.0 + 0.1 * x
    wanted, gradients = PAIRS[name]
    compare(
        lambda t: getattr(ops, name)(t, dim, keepdim),
        [x],
        device,
        lambda a: wanted(a, dim, keepdim),
        lambda gy, a: gradients(gy, a, dim, keepdim),
    )


def test_a_large_mean_does_not_drown_the_spread(device):
    x = 1e4 + normal(3, 4099)
    compare(lambda t: ops.mean(t, 1), [x], device, lambda a: a.mean(1), kind="map")


@pytest.mark.parametrize("name", ["max", "min"])
def test_ties_share_and_nan_wins(device, name):
    wanted, gradients = PAIRS[name]
    x = np.array([[1.0, 2.0, 2.0], [3.0, 3.0, 3.0]])
    compare(
        lambda t: getattr(ops, name)(t, 1),
        [x],
        device,
        lambda a: wanted(a, 1),
        lambda gy, a: gradients(gy, a, 1),
    )
    assert np.isnan(getattr(ops, name)(leaf(np.array([1.0, np.nan, 2.0]), device)).item())


def test_nothing_to_reduce(device):
    empty = leaf(np.zeros((0, 3)), device)
    np.testing.assert_array_equal(ops.sum(empty, 0).numpy(), np.zeros(3))
    np.testing.assert_array_equal(ops.prod(empty, 0).numpy(), np.ones(3))
    assert ops.sum(empty, 1).shape == (0,)


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint8", "bool"])
def test_sum_of_integers(device, dtype):
    x = np.random.default_rng(0).integers(0, 2, (33, 65)).astype(dtype)
    np.testing.assert_array_equal(ops.sum(leaf(x, device), 1).numpy(), x.sum(1))


@pytest.mark.parametrize("name", ["argmax", "argmin"])
@pytest.mark.parametrize("case", [((33,), None), ((4, 31, 5), 1), ((3, 1025), -1), ((1025, 3), 0)], ids=str)
def test_arg(device, name, case):
    shape, dim = case
    x = np.random.default_rng(0).integers(0, 5, shape).astype(np.float64)
    out = getattr(ops, name)(leaf(x, device), dim)
    assert out.dtype == lamina.int64
    np.testing.assert_array_equal(out.numpy(), getattr(np, name)(x, dim))


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
@pytest.mark.parametrize("case", [((33,), 0), ((5, 31), -1), ((3, 32, 4), 1), ((2, 1025), 1)], ids=str)
def test_softmax(device, name, case):
    shape, dim = case
    compare(
        lambda t: getattr(ops, name)(t, dim),
        [normal(*shape) * 5],
        device,
        lambda a: getattr(oracle, name)(a, dim),
        lambda gy, a: getattr(oracle, f"{name}_vjp")(gy, a, dim),
    )


def test_softmax_of_large_values(device):
    x = np.array([[1000.0, 1001.0, 999.0], [-1e30, 0.0, 1e30]])
    compare(lambda t: ops.softmax(t, 1), [x], device, lambda a: oracle.softmax(a, 1))


def test_gradients_in_float64():
    for name in PAIRS:
        lamina.testing.check_gradients(lambda t, n=name: getattr(ops, n)(t, 1), [normal(2, 3, 2)])
    for name in ("softmax", "log_softmax"):
        lamina.testing.check_gradients(lambda t, n=name: getattr(ops, n)(t, 1), [normal(2, 3, 2)])


@pytest.mark.parametrize("name", ["cumsum", "cumprod"])
@pytest.mark.parametrize("form", [(False, False), (True, False), (False, True), (True, True)], ids=str)
@pytest.mark.parametrize("case", [((33,), 0), ((2, 1025, 3), 1), ((3, 5, 65), -1), ((0, 3), 1)], ids=str)
def test_running(device, name, form, case):
    shape, dim = case
    x = 1 + 0.05 * normal(*shape)
    gradients = None
    if name == "cumsum":
        gradients = lambda gy, a: oracle.cumsum_vjp(gy, a, dim, *form)  # noqa: E731
    compare(
        lambda t: getattr(ops, name)(t, dim, *form),
        [x],
        device,
        lambda a: oracle.running(name, a, dim, *form),
        gradients,
    )


@pytest.mark.parametrize("name", ["cumsum", "cumprod"])
@pytest.mark.parametrize("dtype", ["int32", "int64", "uint8", "bool"])
def test_running_integers(device, name, dtype):
    x = (np.arange(40) % 3 + 1).astype(dtype)
    out = getattr(ops, name)(leaf(x, device), 0)
    assert out.dtype == lamina.int64
    np.testing.assert_array_equal(out.numpy(), oracle.running(name, x.astype(np.int64), 0, False, False))
    assert lamina.explain(getattr(ops, name)(leaf(x, device), 0)).fallbacks == []


@pytest.mark.parametrize("name", ["var", "std"])
@pytest.mark.parametrize("correction", [0, 1, 2.5])
@pytest.mark.parametrize("case", CASES[:6], ids=str)
def test_variance(device, name, correction, case):
    shape, dim, keepdim = case
    power = {"var": 1.0, "std": 0.5}[name]
    vjp = {"var": oracle.var_vjp, "std": oracle.std_vjp}[name]
    compare(
        lambda t: getattr(ops, name)(t, dim, correction, keepdim),
        [normal(*shape)],
        device,
        lambda a: oracle.var(a, dim, correction, keepdim) ** power,
        lambda gy, a: vjp(gy, a, dim, correction, keepdim),
    )


def test_variance_beside_a_large_mean(device):
    x = 1e4 + normal(3, 4099)
    compare(lambda t: ops.var(t, 1), [x], device, lambda a: a.var(1, ddof=1))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_logsumexp(device, case):
    shape, dim, keepdim = case
    compare(
        lambda t: ops.logsumexp(t, dim, keepdim),
        [normal(*shape) * 3],
        device,
        lambda a: oracle.logsumexp(a, dim, keepdim),
        lambda gy, a: oracle.logsumexp_vjp(gy, a, dim, keepdim),
    )


def test_logsumexp_of_extremes(device):
    x = np.array([[1e4, 1e4], [-1e4, -1e4], [-np.inf, -np.inf], [np.inf, 0], [np.nan, 0]])
    wanted = np.array([1e4 + np.log(2), -1e4 + np.log(2), -np.inf, np.inf, np.nan])
    np.testing.assert_allclose(ops.logsumexp(leaf(x, device), 1).detach().numpy(), wanted, rtol=1e-6)
    nothing = ops.logsumexp(leaf(np.zeros((2, 0)), device), 1)
    np.testing.assert_array_equal(nothing.detach().numpy(), [-np.inf, -np.inf])


@pytest.mark.parametrize("ord", [1.0, 2.0, 3.0, np.inf, -np.inf])
@pytest.mark.parametrize("case", CASES[:6], ids=str)
def test_norm(device, ord, case):
    shape, dim, keepdim = case
    compare(
        lambda t: ops.norm(t, ord, dim, keepdim),
        [normal(*shape)],
        device,
        lambda a: oracle.norm(a, ord, dim, keepdim),
        lambda gy, a: oracle.norm_vjp(gy, a, ord, dim, keepdim),
    )


def test_norm_of_nothing_but_zeros(device):
    x = leaf(np.zeros((2, 3)), device)
    (gradient,) = lamina.grad(ops.sum(ops.norm(x, dim=1)), [x])
    np.testing.assert_array_equal(gradient.numpy(), np.zeros((2, 3)))
    assert ops.norm(leaf(np.array([0.0, -2.0, 3.0]), device), 0).item() == 2
