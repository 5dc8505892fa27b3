"""Gradients: of several inputs, of gradients, through views, and where there are none."""

import numpy as np
import pytest

import lamina
from helpers import leaf, normal, raises
from lamina.testing import check_gradients

X, Y = normal(3, 4), normal(4, seed=1)


def test_against_central_differences():
    check_gradients(lambda x, y: ((x * y).tanh() + x / (y * y + 1.0)) @ y, [X, Y])
    check_gradients(lambda x: (x[1:, ::-2].T.reshape(-1) * 2.0).softmax(0), [X])
    check_gradients(lambda x: x.mean(0, keepdim=True) - x.max(1, keepdim=True), [X])


def test_gradients_of_gradients():
    x = leaf(X, "cpu", "float64")
    (first,) = lamina.grad((x**3).sum(), [x], create_graph=True)
    (second,) = lamina.grad(first.sum(), [x], create_graph=True)
    (third,) = lamina.grad(second.sum(), [x])
    np.testing.assert_allclose(first.numpy(), 3 * X**2, rtol=1e-10)
    np.testing.assert_allclose(second.numpy(), 6 * X, rtol=1e-10)
    np.testing.assert_allclose(third.numpy(), np.full_like(X, 6), rtol=1e-10)
    assert not third.requires_grad


def test_looking_before_backward(device):
    x = leaf(X.astype(np.float32), device)
    loss = (x * x).sum()
    assert loss.item() == pytest.approx((X**2).sum(), rel=1e-5)
    loss.backward()
    np.testing.assert_allclose(x.grad.numpy(), 2 * X, rtol=1e-5)


def test_weights_and_what_does_not_matter():
    x, y, z = leaf(X, "cpu", "float64"), leaf(Y, "cpu", "float64"), leaf(Y, "cpu", "float64")
    weights = normal(3, 4, seed=2)
    gx, gy, gz = lamina.grad(x * y, [x, y, z], [lamina.tensor(weights)])
    np.testing.assert_allclose(gx.numpy(), weights * Y, rtol=1e-10)
    np.testing.assert_allclose(gy.numpy(), (weights * X).sum(0), rtol=1e-10)
    np.testing.assert_array_equal(gz.numpy(), np.zeros_like(Y))


def test_several_outputs_add_up():
    x = leaf(X, "cpu", "float64")
    (gradient,) = lamina.grad([(x * 2.0).sum(), (x * x).sum()], [x])
    np.testing.assert_allclose(gradient.numpy(), 2 + 2 * X, rtol=1e-10)


def test_a_long_chain_is_no_deep_recursion():
    x = leaf(np.ones(1), "cpu", "float64")
    y = x
    for _ in range(20_000):
        y = y + 1.0
    y.sum().backward()
    assert x.grad.item() == 1.0


def test_mistakes():
    x = leaf(X, "cpu", "float64")
    raises(
        lamina.ArgumentError,
        "grad: input 0 does not require gradients; set requires_grad=True before it is used",
        lambda: lamina.grad((x * 2.0).sum(), [lamina.tensor(X)]),
    )
    raises(
        lamina.ArgumentError,
        "grad: 2 grad_outputs for 1 outputs; give one for each",
        lambda: lamina.grad(x.sum(), [x], [x, x]),
    )
    with pytest.raises(lamina.ShapeError):
        (x * 2.0).backward()
    with pytest.raises(lamina.ArgumentError):
        lamina.tensor(X).sum().backward()
    with pytest.raises(lamina.DTypeError):
        lamina.tensor([1, 2], requires_grad=True)
