"""Frames, and windows as columns."""

import numpy as np
import pytest

import lamina
from helpers import compare, normal, raises
from lamina import ops
from oracle import pool as oracle

FRAMES = [
    ((7,), 0, 3, 1, 1),
    ((2, 9, 4), 1, 3, 2, 1),
    ((2, 12), -1, 4, 3, 2),
    ((33, 5), 0, 1, 5, 1),
    ((4, 6), 1, 6, 1, 1),
]


def _frames(x, dim, size, step, dilation):
    length = x.shape[dim]
    starts = range(0, length - dilation * (size - 1), step)
    taken = [np.take(x, [s + t * dilation for t in range(size)], dim) for s in starts]
    return np.stack(taken, dim % x.ndim)


def _overlapped(frames, dim, step, dilation, length):
    frames = np.moveaxis(frames, (dim, dim + 1), (0, 1))
    x = np.zeros((length, *frames.shape[2:]))
    for f, t in np.ndindex(*frames.shape[:2]):
        x[f * step + t * dilation] += frames[f, t]
    return np.moveaxis(x, 0, dim)


@pytest.mark.parametrize(("shape", "dim", "size", "step", "dilation"), FRAMES, ids=str)
def test_frames_and_their_sums(device, shape, dim, size, step, dilation):
    axis = dim % len(shape)
    compare(
        lambda t: ops.frame(t, dim, size, step, dilation) * 1.0,
        [normal(*shape)],
        device,
        lambda a: _frames(a, dim, size, step, dilation),
        lambda gy, a: [_overlapped(gy, axis, step, dilation, a.shape[axis])],
        kind="map",
    )
    frames = _frames(normal(*shape), dim, size, step, dilation)
    compare(
        lambda t: ops.overlap_add(t, axis, step, dilation, shape[axis]),
        [frames],
        device,
        lambda a: _overlapped(a, axis, step, dilation, shape[axis]),
        lambda gy, a: [
            _frames(gy, axis, size, step, dilation)[(slice(None),) * axis + (slice(a.shape[axis]),)]
        ],
    )


COLUMNS = [
    ((2, 3, 9), 3, {"stride": 2}),
    ((2, 3, 5, 6), (2, 3), {}),
    ((1, 2, 6, 7), 3, {"stride": 2, "padding": 1}),
    ((1, 2, 8, 7), (3, 2), {"dilation": (2, 3), "padding": (1, 0)}),
    ((1, 2, 4, 5, 6), (2, 3, 2), {"stride": (2, 1, 3), "padding": 1}),
]


@pytest.mark.parametrize(("shape", "kernel", "keywords"), COLUMNS, ids=str)
def test_unfold_and_fold(device, shape, kernel, keywords):
    pads = [(p, p) for p in oracle.each(keywords.get("padding", 0), len(shape) - 2)]
    padded = [n + a + b for n, (a, b) in zip(shape[2:], pads, strict=True)]
    moves = {k: v for k, v in keywords.items() if k != "padding"}
    form = oracle.windows((*shape[:2], *padded), kernel, **({"stride": 1} | moves))
    inside = (..., *(slice(a, a + n) for n, (a, _) in zip(shape[2:], pads, strict=True)))

    def columns(x):
        return oracle.unfold(np.pad(x, [(0, 0), (0, 0), *pads]), form)

    def images(g):
        return oracle.unfold_vjp(g, np.zeros((*shape[:2], *padded)), form)[0][inside]

    compare(
        lambda t: ops.unfold(t, kernel, **keywords),
        [normal(*shape)],
        device,
        columns,
        lambda gy, a: [images(gy)],
    )
    compare(
        lambda t: ops.fold(t, shape[2:], kernel, **keywords),
        [normal(*columns(normal(*shape)).shape, seed=1)],
        device,
        images,
        lambda gy, a: [columns(gy)],
    )


def test_errors():
    raises(
        lamina.ShapeError,
        "frame: a window of 4 does not fit in 3 (axis 0 of size 3 with padding 0 and 0); pad more or use a "
        "larger input",
        lambda: ops.frame(ops.zeros((3,)), 0, 4),
    )
    raises(
        lamina.ArgumentError,
        "overlap_add: length=2 is less than the 4 elements that 3 frames of 2 reach",
        lambda: ops.overlap_add(ops.zeros((3, 2)), 0, length=2),
    )
    raises(
        lamina.ShapeError,
        "fold: x has shape [1, 8, 4], but images of [3, 4] have 6 windows of 4 taps; wanted (batch, "
        "channels x 4, 6)",
        lambda: ops.fold(ops.zeros((1, 8, 4)), (3, 4), 2),
    )
