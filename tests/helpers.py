"""One way to hold an op against the oracle."""

from __future__ import annotations

import numpy as np
import pytest

import lamina
from lamina.testing import assert_close


def rng(seed=0):
    return np.random.default_rng(seed)


def normal(*shape, seed=0):
    return rng(seed).standard_normal(shape)


def leaf(array, device, dtype="float32"):
    """A tensor of an array; floats become `dtype` and want gradients."""
    array = np.asarray(array)
    if array.dtype.kind != "f":
        return lamina.tensor(array, device=device)
    return lamina.tensor(array.astype(dtype), device=device, requires_grad=True)


def compare(op, inputs, device, wanted, gradients=None, kind="sum", dtype="float32"):
    """Values and gradients of `op(*inputs)` against float64.

    `wanted(*arrays)` and `gradients(gy, *arrays)` get the very numbers that the
    op gets (rounded to dtype), widened to float64.
    """
    leaves = [leaf(x, device, dtype) for x in inputs]
    arrays = [x.detach().numpy() for x in leaves]
    wide = [a.astype(np.float64) if a.dtype.kind == "f" else a for a in arrays]
    out = op(*leaves)
    reference = wanted(*wide)
    assert out.device == device
    assert_close(out, reference, kind)
    if gradients is None:
        return
    gy = rng(7).standard_normal(np.shape(reference)).astype(dtype)
    floats = [x for x in leaves if x.requires_grad]
    got = lamina.grad([out], floats, [lamina.tensor(gy, device=device)])
    expected = gradients(gy.astype(np.float64), *wide)
    assert len(got) == len(expected)
    for number, (have, want) in enumerate(zip(got, expected, strict=True)):
        try:
            assert_close(have, want, kind)
        except AssertionError as error:
            raise AssertionError(f"gradient of float input {number}: {error}") from None


def raises(error, message, call):
    """The call raises that class, and its whole message is `message`."""
    with pytest.raises(error) as raised:
        call()
    assert str(raised.value) == message
