"""Layer normalisation: y, the statistics of each row, gradients."""

import numpy as np
import pytest

import lamina
from helpers import compare, leaf, normal, raises
from lamina import nn, ops
from lamina._lamina import record
from oracle import norm as oracle

# The shape of x, and how many of its last axes make a row.  (Rows of two are +-1 whatever they were: of
# their gradient float32 leaves little, so that they are compared in float64 only.)
SHAPES = [
    ((4, 31), 1),
    ((3, 5, 32), 1),
    ((2, 7, 33), 2),
    ((300, 3), 1),
    ((2, 4097), 1),
    ((6,), 1),
    ((0, 5), 1),
]
EPS = 1e-3


def _inputs(shape, axes):
    row = shape[len(shape) - axes :]
    return [normal(*shape) * 2 + 1, normal(*row, seed=1) + 1, normal(*row, seed=2)]


def _all(*inputs):
    """All three outputs; weight and bias say what a row is."""
    return record("layer_norm", list(inputs), {"normalized_shape": list(inputs[1].shape), "eps": EPS})


@pytest.mark.parametrize(("shape", "axes"), SHAPES, ids=str)
def test_values_and_gradients(device, shape, axes):
    compare(
        lambda x, w, b: ops.layer_norm(x, w.shape, w, b, EPS),
        _inputs(shape, axes),
        device,
        lambda *a: oracle.layer_norm(*a, EPS)[0],
        lambda gy, *a: oracle.layer_norm_vjp(gy, *a, EPS),
    )


@pytest.mark.parametrize(("shape", "axes"), SHAPES, ids=str)
@pytest.mark.parametrize("output", [1, 2])
def test_statistics(device, shape, axes, output):
    compare(
        lambda *t: _all(*t)[output],
        _inputs(shape, axes),
        device,
        lambda *a: oracle.layer_norm(*a, EPS)[output],
    )


def test_a_large_mean_leaves_the_deviations_right(device):
    inputs = [normal(8, 129) + 1000.0, np.ones(129), np.zeros(129)]
    for output in range(3):
        compare(
            lambda *t, i=output: _all(*t)[i],
            inputs,
            device,
            lambda *a, i=output: oracle.layer_norm(*a, EPS)[i],
        )


def test_float16_is_computed_wide(device):
    compare(
        lambda x, w, b: ops.layer_norm(x, w.shape, w, b, EPS),
        _inputs((5, 33), 1),
        device,
        lambda *a: oracle.layer_norm(*a, EPS)[0],
        lambda gy, *a: oracle.layer_norm_vjp(gy, *a, EPS),
        dtype="float16",
    )


@pytest.mark.parametrize("given", [(False, False), (True, False), (False, True)], ids=str)
def test_weight_and_bias_may_be_missing(device, given):
    x, w, b = _inputs((5, 33), 1)
    kept = [value for value, there in zip((w, b), given, strict=True) if there]

    def filled(affine):
        left = iter(affine)
        return [next(left) if there else None for there in given]

    def wanted(x, *affine):
        w, b = filled(affine)
        return x, np.ones(33) if w is None else w, np.zeros(33) if b is None else b

    def gradients(gy, *a):
        gx, gw, gb = oracle.layer_norm_vjp(gy, *wanted(*a), EPS)
        return gx, *(g for g, there in zip((gw, gb), given, strict=True) if there)

    compare(
        lambda x, *affine: ops.layer_norm(x, 33, *filled(affine), eps=EPS),
        [x, *kept],
        device,
        lambda *a: oracle.layer_norm(*wanted(*a), EPS)[0],
        gradients,
    )


def test_gradients_by_every_output_in_float64():
    """Central differences; and once more of these gradients."""
    inputs = [normal(3, 2, 4), normal(2, 4, seed=1), normal(2, 4, seed=2)]
    lamina.testing.check_gradients(lambda t: ops.layer_norm(t, 2), [normal(5, 2)])
    for output in range(3):
        lamina.testing.check_gradients(lambda *t, i=output: _all(*t)[i], inputs)

        def slope(x, w, b, i=output):
            (g,) = lamina.grad((_all(x, w, b)[i] ** 2.0).sum(), [x], create_graph=True)
            return (g * lamina.tensor(normal(3, 2, 4, seed=5))).sum()

        wanted = [inputs[0], *(lamina.tensor(a) for a in inputs[1:])]
        lamina.testing.check_gradients(lambda x, s=slope, w=wanted: s(x, *w[1:]), [inputs[0]], tolerance=1e-5)


def test_nothing_leaves_the_gpu(device):
    x, w, b = (leaf(a, device) for a in _inputs((5, 33), 1))
    y = ops.layer_norm(x, 33, w, b)
    found = lamina.explain(lamina.grad(y.sum(), [x, w, b])[0])
    assert found.fallbacks == []


def test_layer(device):
    layer = nn.LayerNorm((3, 4)).to(device)
    assert list(layer.state_dict()) == ["weight", "bias"]
    layer.weight.assign(lamina.tensor(normal(3, 4).astype(np.float32), device=device))
    x = leaf(normal(2, 3, 4), device)
    wanted = ops.layer_norm(x, (3, 4), layer.weight, layer.bias)
    np.testing.assert_array_equal(layer(x).numpy(), wanted.numpy())
    assert list(nn.LayerNorm(4, bias=False).state_dict()) == ["weight"]
    assert list(nn.LayerNorm(4, elementwise_affine=False).state_dict()) == []
    assert repr(nn.LayerNorm(4)) == "LayerNorm((4,), eps=1e-05, elementwise_affine=True)"


def test_mistakes():
    x = lamina.tensor(np.zeros((2, 5), np.float32))
    raises(
        lamina.ShapeError,
        "layer_norm: x has shape [2, 5], normalized_shape is [4]; x must end in it",
        lambda: nn.LayerNorm(4)(x),
    )
    raises(
        lamina.ShapeError,
        "layer_norm: normalized_shape is [], wanted the lengths of the last axes of x, "
        "at least one and none of them 0",
        lambda: ops.layer_norm(x, ()),
    )
    raises(
        lamina.DTypeError,
        "layer_norm: x is float32, weight float64; cast one first",
        lambda: nn.LayerNorm(5, dtype=lamina.float64)(x),
    )
