"""Tensors made from nothing, and random ones."""

import numpy as np
import pytest

import lamina
from helpers import rng  # noqa: F401
from lamina import ops
from lamina.testing import assert_close, devices


@pytest.mark.parametrize("dtype", ["float32", "float16", "int32", "int64", "uint8", "bool"])
def test_full(device, dtype):
    out = ops.full((3, 33), 1, lamina.dtypes()[dtype], device)
    assert out.device == device
    np.testing.assert_array_equal(out.numpy(), np.full((3, 33), 1, dtype))


@pytest.mark.parametrize("span", [(0, 33, 1), (5, -3, -2), (0.5, 2.0, 0.25), (3, 3, 1)], ids=str)
def test_arange(device, span):
    out = ops.arange(*span, device=device)
    assert_close(out, np.arange(*span).astype(out.numpy().dtype), "map")


def test_uniform_has_the_same_bits_on_every_device():
    drawn = []
    for device in devices():
        lamina.manual_seed(3)
        drawn.append(ops.uniform((5, 33), -1.0, 3.0, device=device).numpy())
    for other in drawn[1:]:
        np.testing.assert_array_equal(drawn[0], other)


def test_normal_is_nearly_the_same_on_every_device():
    drawn = []
    for device in devices():
        lamina.manual_seed(3)
        drawn.append(ops.normal((5, 33), device=device).numpy())
    for other in drawn[1:]:
        np.testing.assert_allclose(drawn[0], other, rtol=0, atol=1e-6)


def test_distributions(device):
    u = ops.uniform((20001,), -1.0, 3.0, device=device).numpy()
    assert u.min() >= -1.0
    assert u.max() < 3.0
    assert abs(u.mean() - 1.0) < 0.05
    assert abs(u.var() - 16 / 12) < 0.05
    n = ops.normal((20001,), 2.0, 0.5, device=device).numpy()
    assert abs(n.mean() - 2.0) < 0.02
    assert abs(n.std() - 0.5) < 0.02
    assert abs(((n - 2.0) ** 4).mean() / 0.5**4 - 3.0) < 0.3


def test_the_seed_decides(device):
    lamina.manual_seed(1)
    first, second = ops.uniform((9,), device=device).numpy(), ops.uniform((9,), device=device).numpy()
    lamina.manual_seed(1)
    again = ops.uniform((9,), device=device).numpy()
    lamina.manual_seed(2)
    other = ops.uniform((9,), device=device).numpy()
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, second)
    assert not np.array_equal(first, other)


def test_dropout(device):
    y = ops.dropout(ops.ones((20001,), device=device), 0.25).numpy()
    assert set(np.unique(y)) == {np.float32(0.0), np.float32(1.0 / 0.75)}
    assert abs((y == 0).mean() - 0.25) < 0.02
