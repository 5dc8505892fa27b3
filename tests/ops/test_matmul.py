"""Matrix products."""

import numpy as np
import pytest

import lamina
from helpers import compare, leaf, normal, raises
from lamina import ops
from lamina.testing import assert_close
from oracle import product as oracle

SHAPES = [
    ((1, 1), (1, 1)),
    ((31, 33), (33, 32)),
    ((33, 31), (31, 65)),
    ((64, 64), (64, 64)),
    ((129, 257), (257, 130)),
    ((5,), (5,)),
    ((5,), (5, 7)),
    ((4, 5), (5,)),
    ((3, 4, 5), (5, 6)),
    ((4, 5), (3, 5, 6)),
    ((2, 1, 4, 5), (3, 5, 6)),
    ((2, 33, 17), (2, 17, 31)),
    ((0, 5), (5, 3)),
    ((3, 0), (0, 4)),
]


@pytest.mark.parametrize("shapes", SHAPES, ids=str)
def test_matmul(device, shapes):
    a, b = normal(*shapes[0]), normal(*shapes[1], seed=1)
    compare(ops.matmul, [a, b], device, oracle.matmul, oracle.matmul_vjp)


@pytest.mark.parametrize("which", ["a", "b", "both"])
def test_transposed_operands(device, which):
    a = normal(31, 65) if which == "b" else normal(65, 31)
    b = normal(65, 33, seed=1) if which == "a" else normal(33, 65, seed=1)

    def turned(product, swap):
        def run(x, y):
            x = x if which == "b" else swap(x)
            y = y if which == "a" else swap(y)
            return product(x, y)

        return run

    def gradients(gy, x, y):
        left = x if which == "b" else x.T
        right = y if which == "a" else y.T
        gx, gr = oracle.matmul_vjp(gy, left, right)
        return (gx if which == "b" else gx.T), (gr if which == "a" else gr.T)

    compare(
        turned(ops.matmul, lambda t: t.mT), [a, b], device, turned(oracle.matmul, lambda t: t.T), gradients
    )


def test_views_with_strides(device):
    x, w = normal(40, 40), normal(20, 10, seed=1)
    got = leaf(x, device)[::2, 1::2] @ leaf(w, device)
    assert_close(got, x.astype(np.float32).astype(np.float64)[::2, 1::2] @ w.astype(np.float32))


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(7, 33), (2, 3, 33), (33,)], ids=str)
def test_linear(device, bias, shape):
    inputs = [normal(*shape), normal(65, 33, seed=1), *([normal(65, seed=2)] if bias else [])]

    def wanted(x, w, b=0.0):
        return oracle.matmul(x, w.T) + b

    def gradients(gy, x, w, b=None):
        gx, gw = (
            oracle.matmul_vjp(gy, x.reshape(-1, 33) if x.ndim > 1 else x, w.T) if x.ndim < 3 else (None, None)
        )
        if gx is None:
            gx, gw = oracle.matmul_vjp(gy.reshape(-1, 65), x.reshape(-1, 33), w.T)
        found = [gx.reshape(x.shape), gw.T]
        return found if b is None else [*found, gy.reshape(-1, 65).sum(0)]

    compare(ops.linear, inputs, device, wanted, gradients)


def test_bias_and_activation_in_the_product(device):
    x, w, b, r = normal(33, 31), normal(17, 31, seed=1), normal(17, seed=2), normal(33, 17, seed=3)

    def fused(*t):
        return ops.relu(ops.linear(t[0], t[1], t[2]) + t[3])

    def wanted(*a):
        return np.maximum(a[0] @ a[1].T + a[2] + a[3], 0)

    def gradients(gy, *a):
        g = gy * (wanted(*a) > 0)
        return g @ a[1], g.T @ a[0], g.sum(0), g

    compare(fused, [x, w, b, r], device, wanted, gradients)


def test_float16_adds_up_in_float32(device):
    a, b = normal(33, 257), normal(257, 31, seed=1)
    compare(ops.matmul, [a, b], device, oracle.matmul, None, dtype="float16")


def test_float64_on_the_cpu():
    a, b = normal(33, 65), normal(65, 31, seed=1)
    compare(ops.matmul, [a, b], "cpu", oracle.matmul, oracle.matmul_vjp, dtype="float64")


def test_gradients_in_float64():
    lamina.testing.check_gradients(ops.matmul, [normal(2, 3, 4), normal(4, 2, seed=1)])
    lamina.testing.check_gradients(ops.linear, [normal(3, 4), normal(2, 4, seed=1), normal(2, seed=2)])


EINSUMS = [
    ("ij,jk->ik", (3, 33), (33, 5)),
    ("bij,bjk->bik", (2, 3, 4), (2, 4, 5)),
    ("i,j", (5,), (7,)),
    ("ij->ji", (3, 5)),
    ("ij->", (3, 5)),
    ("ii->i", (5, 5)),
    ("...ii->...i", (3, 5, 5)),
    ("iij,jk", (3, 3, 4), (4, 2)),
    ("b i j , b k j -> b k i", (2, 3, 4), (2, 5, 4)),
    ("...ij,...jk", (1, 3, 4), (2, 4, 5)),
    ("ab,bc,cd->ad", (2, 3), (3, 4), (4, 5)),
    ("ijk,il,jm->klm", (2, 3, 4), (2, 5), (3, 6)),
    ("bhqd,bhkd->bhqk", (2, 3, 5, 4), (2, 3, 7, 4)),
    ("ij,k->i", (3, 4), (5,)),
    ("->", ()),
]


@pytest.mark.parametrize("case", EINSUMS, ids=lambda c: c[0])
def test_einsum(device, case):
    equation, *shapes = case
    inputs = [normal(*shape, seed=at) for at, shape in enumerate(shapes)]
    compare(lambda *t: ops.einsum(equation, *t), inputs, device, lambda *a: np.einsum(equation, *a))


def test_gradients_of_einsum():
    for equation, *shapes in EINSUMS:
        inputs = [normal(*shape, seed=at) for at, shape in enumerate(shapes)]
        lamina.testing.check_gradients(lambda *t, e=equation: ops.einsum(e, *t), inputs)


def test_einsum_mistakes():
    x = lamina.tensor(np.zeros((2, 3), np.float32))
    for equation, error, message in (
        ("i->i", lamina.ArgumentError, "einsum: 'i->i': 'i' does not name the axes of [2, 3]"),
        (
            "ij->k",
            lamina.ArgumentError,
            "einsum: 'ij->k': an axis of the result is no operand's, or is named twice",
        ),
        ("ij,jk", lamina.ArgumentError, "einsum: 'ij,jk': 2 terms for 1 operands"),
        ("i1->i", lamina.ArgumentError, "einsum: 'i1->i': '1' names no axis; wanted letters and '...'"),
        ("ii->i", lamina.ShapeError, "einsum: one letter for axes of 2 and 3"),
    ):
        raises(error, message, lambda equation=equation: ops.einsum(equation, x))
    raises(
        lamina.ShapeError,
        "einsum: one letter for axes of 3 and 2",
        lambda: ops.einsum("ij,jk->ik", x, x),
    )
