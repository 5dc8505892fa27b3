"""Casts between dtypes, as NumPy rounds them."""

import numpy as np
import pytest

import lamina
from helpers import leaf
from lamina import ops

NAMES = ["bool", "uint8", "int32", "int64", "float16", "float32", "float64"]
BY_NAME = lamina.dtypes()


@pytest.mark.parametrize("before", NAMES)
@pytest.mark.parametrize("after", NAMES)
def test_cast(device, before, after):
    if device != "cpu" and "float64" in (before, after):
        pytest.skip("float64 lives on the CPU")
    x = np.array([0, 1, 2, 3, 100, 7, 5] * 5).astype(before)
    out = ops.cast(leaf(x, device, before), BY_NAME[after])
    assert out.dtype == BY_NAME[after]
    np.testing.assert_array_equal(out.numpy(), x.astype(after))


def test_floats_are_cut_towards_zero(device):
    x = np.array([1.7, -1.7, 0.5, -0.5, 1e6])
    np.testing.assert_array_equal(ops.cast(leaf(x, device), lamina.int32).numpy(), x.astype(np.int32))
    wide = np.array([2.0**40, -(2.0**40), 3.0, -1.0])
    np.testing.assert_array_equal(ops.cast(leaf(wide, device), lamina.int64).numpy(), wide.astype(np.int64))


def test_gradient_passes_between_floats(device):
    x = leaf(np.array([1.0, 2.0]), device)
    (gradient,) = lamina.grad(ops.sum(ops.cast(x, lamina.float16) * 3.0), [x])
    assert gradient.dtype == lamina.float32
    np.testing.assert_array_equal(gradient.numpy(), [3.0, 3.0])
