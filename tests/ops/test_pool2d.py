"""Max, average and global pooling."""

import pytest

import lamina
from helpers import compare, normal
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
]


def _names(keywords):
    """The oracle's names."""
    return {("kernel" if k == "kernel_size" else k): v for k, v in keywords.items()}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_max_pool2d(device, case):
    shape, keywords = case
    compare(
        lambda t: ops.max_pool2d(t, **keywords),
        [normal(*shape)],
        device,
        lambda a: oracle.max_pool2d(a, **_names(keywords)),
        lambda gy, a: oracle.max_pool2d_vjp(gy, a, **_names(keywords)),
    )


def test_max_pool2d_dilated(device):
    compare(
        lambda t: ops.max_pool2d(t, 2, 1, 0, dilation=3),
        [normal(1, 2, 9, 8)],
        device,
        lambda a: oracle.max_pool2d(a, 2, 1, 0, 3),
        lambda gy, a: oracle.max_pool2d_vjp(gy, a, 2, 1, 0, 3),
    )


def test_max_pool2d_ties_go_to_the_first(device):
    x = normal(1, 2, 6, 6).round()
    compare(
        lambda t: ops.max_pool2d(t, 3, 1),
        [x],
        device,
        lambda a: oracle.max_pool2d(a, 3, 1),
        lambda gy, a: oracle.max_pool2d_vjp(gy, a, 3, 1),
    )


@pytest.mark.parametrize("count_include_pad", [True, False])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_avg_pool2d(device, case, count_include_pad):
    shape, keywords = case
    compare(
        lambda t: ops.avg_pool2d(t, **keywords, count_include_pad=count_include_pad),
        [normal(*shape)],
        device,
        lambda a: oracle.avg_pool2d(a, **_names(keywords), count_include_pad=count_include_pad),
        lambda gy, a: oracle.avg_pool2d_vjp(gy, a, **_names(keywords), count_include_pad=count_include_pad),
    )


@pytest.mark.parametrize("shape", [(2, 3, 5, 7), (1, 33, 32, 33)], ids=str)
def test_global_pooling(device, shape):
    size = shape[2:]
    compare(
        ops.global_avg_pool2d,
        [normal(*shape)],
        device,
        lambda a: a.mean((2, 3), keepdims=True),
        lambda gy, a: oracle.avg_pool2d_vjp(gy, a, size),
    )
    compare(
        ops.global_max_pool2d,
        [normal(*shape)],
        device,
        lambda a: a.max((2, 3), keepdims=True),
        lambda gy, a: oracle.max_pool2d_vjp(gy, a, size),
    )


def test_gradients_in_float64():
    x = normal(1, 2, 5, 5)
    lamina.testing.check_gradients(lambda t: ops.max_pool2d(t, 3, 2, 1), [x])
    lamina.testing.check_gradients(lambda t: ops.avg_pool2d(t, 3, 2, 1, count_include_pad=False), [x])
