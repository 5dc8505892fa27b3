"""Pooling over one, two and three axes."""

import numpy as np
import pytest

import lamina
from helpers import compare, normal, raises
from lamina import ops
from oracle import pool as oracle

CASES = [
    ((2, 3, 8, 9), {"kernel_size": 2}),
    ((2, 5, 9, 7), {"kernel_size": (3, 2), "stride": (2, 1)}),
    ((1, 33, 7, 7), {"kernel_size": 3, "stride": 2, "padding": 1}),
    ((2, 3, 8, 8), {"kernel_size": 3, "stride": 2, "ceil_mode": True}),
    ((1, 2, 6, 5), {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True}),
    ((1, 2, 5, 6), {"kernel_size": 2, "stride": 3, "ceil_mode": True}),
    ((1, 3, 32, 31), {"kernel_size": 5, "stride": 1, "padding": 2}),
    ((1, 2, 9, 8), {"kernel_size": 2, "stride": 1, "dilation": 3}),
    ((1, 2, 6, 7), {"kernel_size": 3, "stride": 2, "padding": "same"}),
    ((2, 3, 33), {"kernel_size": 3, "stride": 2, "padding": 1}),
    ((2, 3, 8), {"kernel_size": 3, "stride": 2, "padding": ((0, 2),), "ceil_mode": True}),
    ((1, 2, 11), {"kernel_size": 3, "stride": 1, "dilation": 2}),
    ((2, 3, 4, 6, 5), {"kernel_size": 2}),
    ((1, 2, 5, 6, 7), {"kernel_size": (2, 3, 1), "stride": (1, 2, 3), "padding": (1, 1, 0)}),
    ((1, 2, 5, 6, 7), {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True}),
    ((1, 2, 6, 5, 7), {"kernel_size": 2, "stride": 3, "dilation": 2, "ceil_mode": True}),
    ((1, 2, 5, 6, 4), {"kernel_size": (3, 2, 2), "stride": 2, "padding": "same_lower"}),
]


def _op(name, shape, more=""):
    """The op of as many axes."""
    return getattr(ops, f"{name}{len(shape) - 2}d{more}")


def _form(shape, keywords):
    """The windows, in the oracle's names."""
    return oracle.windows(shape, **{("kernel" if k == "kernel_size" else k): v for k, v in keywords.items()})


@pytest.mark.parametrize("case", CASES, ids=str)
def test_max_pool(device, case):
    shape, keywords = case
    form = _form(shape, keywords)
    compare(
        lambda t: _op("max_pool", shape)(t, **keywords),
        [normal(*shape)],
        device,
        lambda a: oracle.max_pool(a, form),
        lambda gy, a: oracle.max_pool_vjp(gy, a, form),
    )


@pytest.mark.parametrize("shape", [(1, 2, 9), (1, 2, 6, 6), (1, 2, 4, 5, 6)], ids=str)
def test_max_pool_ties_go_to_the_first(device, shape):
    x = normal(*shape).round().astype(np.float32)
    form = oracle.windows(shape, 3, 1)
    compare(
        lambda t: _op("max_pool", shape)(t, 3, 1),
        [x],
        device,
        lambda a: oracle.max_pool(a, form),
        lambda gy, a: oracle.max_pool_vjp(gy, a, form),
    )
    _, places = _op("max_pool", shape, "_with_indices")(lamina.tensor(x, device=device), 3, 1)
    np.testing.assert_array_equal(places.numpy(), oracle.max_places(x, form))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_indices_of_max_pool(device, case):
    shape, keywords = case
    form = _form(shape, keywords)
    compare(
        lambda t: _op("max_pool", shape, "_with_indices")(t, **keywords)[0],
        [normal(*shape)],
        device,
        lambda a: oracle.max_pool(a, form),
        lambda gy, a: oracle.max_pool_vjp(gy, a, form),
    )
    x = normal(*shape).astype(np.float32)
    _, places = _op("max_pool", shape, "_with_indices")(lamina.tensor(x, device=device), **keywords)
    assert places.dtype == lamina.int64
    np.testing.assert_array_equal(places.numpy(), oracle.max_places(x, form))


@pytest.mark.parametrize("shape", [(1, 2, 4), (1, 2, 4, 3), (1, 2, 4, 3, 2)], ids=str)
def test_windows_in_the_padding_alone_have_no_place(device, shape):
    x = normal(*shape).astype(np.float32)
    form = {"kernel_size": 2, "stride": 2, "padding": 2}
    _, places = _op("max_pool", shape, "_with_indices")(lamina.tensor(x, device=device), **form)
    wanted = oracle.max_places(x, _form(shape, form))
    assert (wanted == -1).any()
    np.testing.assert_array_equal(places.numpy(), wanted)


@pytest.mark.parametrize("shape", [(2, 3, 8), (2, 3, 6, 8), (1, 2, 4, 6, 8)], ids=str)
@pytest.mark.parametrize("more", [0, 1])
def test_max_unpool(device, shape, more):
    size = [n + more for n in shape[2:]]
    pooled = [2 * n for n in (n // 2 for n in shape[2:])]
    form = oracle.windows((*shape[:2], *pooled), 2)
    places = oracle.max_places(normal(*shape[:2], *pooled, seed=1), form)
    y = normal(*places.shape)
    compare(
        lambda t, i: _op("max_unpool", shape)(t, i, 2, output_size=size if more else None),
        [y, places],
        device,
        lambda a, i: oracle.max_unpool(a, i, size),
        lambda gy, a, i: [
            np.take_along_axis(gy.reshape(*shape[:2], -1), i.reshape(*shape[:2], -1), 2).reshape(a.shape)
        ],
        kind="map",
    )


def test_max_unpool_says_what_is_wrong():
    x, places = ops.zeros((1, 1, 2)), lamina.tensor(np.zeros((1, 1, 3), np.int64))
    raises(
        lamina.ShapeError,
        "max_unpool1d: x has shape [1, 1, 2], indices [1, 1, 3]; wanted the same",
        lambda: ops.max_unpool1d(x, places, 2),
    )
    with pytest.raises(lamina.IndexError, match="index 9 is out of range"):
        ops.max_unpool1d(x, lamina.tensor([[[0, 9]]]), 2).numpy()


@pytest.mark.parametrize("count_include_pad", [True, False])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_avg_pool(device, case, count_include_pad):
    shape, keywords = case
    form = _form(shape, keywords)
    compare(
        lambda t: _op("avg_pool", shape)(t, **keywords, count_include_pad=count_include_pad),
        [normal(*shape)],
        device,
        lambda a: oracle.avg_pool(a, form, count_include_pad),
        lambda gy, a: oracle.avg_pool_vjp(gy, a, form, count_include_pad),
    )


@pytest.mark.parametrize("case", CASES, ids=str)
def test_avg_pool_by_a_divisor(device, case):
    shape, keywords = case
    form = _form(shape, keywords)
    compare(
        lambda t: _op("avg_pool", shape)(t, **keywords, divisor_override=3),
        [normal(*shape)],
        device,
        lambda a: oracle.avg_pool(a, form, divisor=3),
        lambda gy, a: oracle.avg_pool_vjp(gy, a, form, divisor=3),
    )


@pytest.mark.parametrize("p", [1, 2, 3.5])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_lp_pool(device, case, p):
    shape, keywords = case
    form = _form(shape, keywords)
    compare(
        lambda t: _op("lp_pool", shape)(t, p, **keywords),
        [normal(*shape)],
        device,
        lambda a: oracle.lp_pool(a, form, p),
        lambda gy, a: oracle.lp_pool_vjp(gy, a, form, p),
    )


def test_a_norm_of_zero_has_no_gradient(device):
    x = lamina.tensor(np.zeros((1, 1, 4), np.float32), device=device, requires_grad=True)
    for p in (1, 2, 3):
        (gradient,) = lamina.grad(ops.lp_pool1d(x, p, 2).sum(), [x])
        np.testing.assert_array_equal(gradient.numpy(), np.zeros((1, 1, 4)))


def test_a_norm_of_halves_does_not_overflow(device):
    x = lamina.tensor(np.full((1, 1, 2), 300.0, np.float16), device=device)
    assert ops.lp_pool1d(x, 2, 2).item() == np.float16(300 * 2**0.5)


@pytest.mark.parametrize("shape", [(2, 3, 5, 7), (1, 33, 32, 33)], ids=str)
def test_global_pooling(device, shape):
    form = oracle.windows(shape, shape[2:])
    compare(
        ops.global_avg_pool2d,
        [normal(*shape)],
        device,
        lambda a: a.mean((2, 3), keepdims=True),
        lambda gy, a: oracle.avg_pool_vjp(gy, a, form),
    )
    compare(
        ops.global_max_pool2d,
        [normal(*shape)],
        device,
        lambda a: a.max((2, 3), keepdims=True),
        lambda gy, a: oracle.max_pool_vjp(gy, a, form),
    )


ADAPTIVE = [
    ((2, 3, 7), (3,)),
    ((2, 3, 8), (4,)),
    ((1, 2, 3), (5,)),
    ((2, 3, 7, 9), (3, 3)),
    ((1, 2, 5, 8), (7, 1)),
    ((1, 2, 5, 8), (1, 1)),
    ((1, 2, 13, 6), (None, 4)),
    ((1, 2, 5, 6, 7), (2, 3, 4)),
    ((1, 2, 4, 4, 4), (2, 2, 1)),
]


@pytest.mark.parametrize("case", ADAPTIVE, ids=str)
def test_adaptive_pools(device, case):
    shape, size = case
    form = oracle.adaptive_windows(shape, size)
    compare(
        lambda t: _op("adaptive_avg_pool", shape)(t, size),
        [normal(*shape)],
        device,
        lambda a: oracle.avg_pool(a, form),
        lambda gy, a: oracle.avg_pool_vjp(gy, a, form),
    )
    compare(
        lambda t: _op("adaptive_max_pool", shape)(t, size),
        [normal(*shape)],
        device,
        lambda a: oracle.max_pool(a, form),
        lambda gy, a: oracle.max_pool_vjp(gy, a, form),
    )
    x = normal(*shape).round().astype(np.float32)
    _, places = _op("adaptive_max_pool", shape, "_with_indices")(lamina.tensor(x, device=device), size)
    np.testing.assert_array_equal(places.numpy(), oracle.max_places(x, form))


def test_adaptive_pools_of_halves(device):
    x = normal(1, 2, 7, 5)
    form = oracle.adaptive_windows(x.shape, (3, 2))
    compare(
        lambda t: ops.adaptive_avg_pool2d(t, (3, 2)),
        [x],
        device,
        lambda a: oracle.avg_pool(a, form),
        dtype="float16",
    )


def test_gradients_in_float64():
    x = normal(1, 2, 5, 5)
    lamina.testing.check_gradients(lambda t: ops.max_pool2d(t, 3, 2, 1), [x])
    lamina.testing.check_gradients(lambda t: ops.avg_pool2d(t, 3, 2, 1, count_include_pad=False), [x])


def test_pools_say_what_is_wrong():
    x = ops.zeros((1, 1, 4))
    raises(
        lamina.ArgumentError,
        "lp_pool1d: norm_type=0, wanted a finite number above 0; max_pool is what infinity comes to",
        lambda: ops.lp_pool1d(x, 0, 2),
    )
    raises(
        lamina.ArgumentError,
        "avg_pool1d: divisor_override=0, wanted another number, or None for how many elements a window has",
        lambda: ops.avg_pool1d(x, 2, divisor_override=0),
    )
    raises(
        lamina.ArgumentError,
        "adaptive_max_pool1d: output_size=[0] of [1, 1, 4], wanted at least 1 (or -1 for an axis as it is) "
        "of axes that are not empty",
        lambda: ops.adaptive_max_pool1d(x, 0),
    )
    with pytest.raises(lamina.ShapeError, match="max_pool1d: a window of 5 does not fit in 4"):
        ops.max_pool1d(x, 5)
