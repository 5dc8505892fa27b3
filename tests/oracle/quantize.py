"""Quantised tensors: codes, their numbers, and products of codes in int64."""

from __future__ import annotations

import numpy as np

from oracle.product import conv, matmul

# The least and the largest code.
RANGES = {
    "uint8": (0, 255),
    "int8": (-128, 127),
    "uint16": (0, 65535),
    "int16": (-32768, 32767),
    "uint4": (0, 15),
    "int4": (-8, 7),
    "uint2": (0, 3),
    "int2": (-2, 1),
}


def spread(values, shape, axis=1, block_size=0):
    """A scale or zero point for each element of a shape."""
    values = np.asarray(values)
    if values.ndim == 0:
        return np.broadcast_to(values, shape)
    if block_size:
        places = np.arange(shape[axis]) // block_size
        return np.take(values, places, axis)
    apart = [1] * len(shape)
    apart[axis] = -1
    return np.broadcast_to(values.reshape(apart), shape)


def quantize(x, scale, zero_point, dtype, axis=1, block_size=0, precision="float32"):
    """Codes as int64; the quotient has the precision of a dtype."""
    low, high = RANGES[dtype]
    scale = spread(scale, x.shape, axis, block_size)
    zero = spread(np.asarray(zero_point).astype(np.int64), x.shape, axis, block_size)
    with np.errstate(over="ignore"):
        ratio = (x.astype(np.float64) / scale.astype(np.float64)).astype(precision).astype(np.float64)
    return np.clip(np.rint(ratio) + zero, low, high).astype(np.int64)


def dequantize(x, scale, zero_point=0, axis=1, block_size=0):
    zero = spread(np.asarray(zero_point).astype(np.float64), x.shape, axis, block_size)
    return (x.astype(np.float64) - zero) * spread(scale, x.shape, axis, block_size)


def dequantize_vjp(gy, x, scale, zero_point=0, axis=1, block_size=0):
    """Of the scale: every element adds to its own."""
    scale = np.asarray(scale)
    share = gy * dequantize(x, np.ones_like(scale), zero_point, axis, block_size)
    out = np.zeros_like(scale, dtype=np.float64)
    for at in np.ndindex(*x.shape):
        place = list(at)
        if block_size:
            place[axis] //= block_size
        elif scale.ndim:
            place = [at[axis]]
        else:
            place = []
        out[tuple(place)] += share[at]
    return (out,)


def requantize(sums, scale, zero_point, dtype):
    """Codes of sums whose unit is `scale` of the result's."""
    low, high = RANGES[dtype]
    ratio = (sums.astype(np.float32) * np.asarray(scale, np.float32)).astype(np.float64)
    return np.clip(np.rint(ratio) + zero_point, low, high).astype(np.int64)


def matmul_integer(a, b, a_zero=0, b_zero=0):
    return matmul(a.astype(np.int64) - a_zero, b.astype(np.int64) - b_zero).astype(np.int64)


def conv2d_integer(x, w, x_zero=0, w_zero=0, bias=None, **form):
    w_zero = np.asarray(w_zero).astype(np.int64).reshape(-1, 1, 1, 1)
    return conv(x.astype(np.int64) - x_zero, w.astype(np.int64) - w_zero, bias, **form).astype(np.int64)
