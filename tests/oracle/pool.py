"""Pooling, window by window, over any number of axes."""

from __future__ import annotations

import itertools
import math

import numpy as np

from oracle.product import each, paddings


def windows(x_shape, kernel, stride=None, padding=0, dilation=1, ceil_mode=False):
    """Output size, and for each output place what it reads on each axis, and its padded area."""
    rank = len(x_shape) - 2
    kernel, dilation = each(kernel, rank), each(dilation, rank)
    stride = kernel if stride is None else each(stride, rank)
    pads = paddings(padding, x_shape[2:], kernel, stride, dilation)
    out = []
    for a in range(rank):
        free = x_shape[2 + a] + sum(pads[a]) - dilation[a] * (kernel[a] - 1) - 1
        count = (math.ceil if ceil_mode else math.floor)(free / stride[a]) + 1
        # The last window must start inside the input or the padding before it.
        if ceil_mode and (count - 1) * stride[a] >= x_shape[2 + a] + pads[a][0]:
            count -= 1
        out.append(count)
    places = {}
    for place in np.ndindex(*out):
        axes, area = [], 1
        for a, at in enumerate(place):
            start = at * stride[a] - pads[a][0]
            reads = [start + t * dilation[a] for t in range(kernel[a])]
            axes.append([r for r in reads if 0 <= r < x_shape[2 + a]])
            area *= sum(1 for r in reads if r < x_shape[2 + a] + pads[a][1])
        places[place] = (axes, area)
    return out, places


def adaptive_windows(x_shape, size):
    """As `windows`, for PyTorch's adaptive pools."""
    size = [n if s is None else s for n, s in zip(x_shape[2:], size, strict=True)]
    bounds = [
        [(i * n // s, -(-(i + 1) * n // s)) for i in range(s)] for n, s in zip(x_shape[2:], size, strict=True)
    ]
    places = {}
    for place in np.ndindex(*size):
        axes = [list(range(*bounds[a][i])) for a, i in enumerate(place)]
        places[place] = (axes, math.prod(map(len, axes)))
    return size, places


def _seen(x, axes):
    """The elements of a window, flat, for each image and channel."""
    return x[(slice(None), slice(None), *np.ix_(*axes))].reshape(*x.shape[:2], -1)


def _firsts(x, places):
    """For each place with elements, the image's and channel's first maximum: an index of x."""
    for place, (axes, _) in places.items():
        if not all(axes):
            continue
        first = _seen(x, axes).argmax(2)
        reads = list(itertools.product(*axes))
        for n, c in np.ndindex(*x.shape[:2]):
            yield (n, c, *place), (n, c, *reads[first[n, c]])


def max_pool(x, form):
    """`form` is what `windows` or `adaptive_windows` gives."""
    out, places = form
    y = np.full((*x.shape[:2], *out), -np.inf)
    for at, first in _firsts(x, places):
        y[at] = x[first]
    return y


def max_places(x, form):
    """Numbers of the first maxima in their images; -1 where there is none."""
    out, places = form
    found = np.full((*x.shape[:2], *out), -1)
    for at, first in _firsts(x, places):
        found[at] = np.ravel_multi_index(first[2:], x.shape[2:])
    return found


def max_pool_vjp(gy, x, form):
    """To the first maximum in row order."""
    gx = np.zeros_like(x)
    for at, first in _firsts(x, form[1]):
        gx[first] += gy[at]
    return (gx,)


def max_unpool(y, places, size):
    """Element by element."""
    x = np.zeros((*y.shape[:2], *size))
    for n, c, *at in np.ndindex(*y.shape):
        x[(n, c, *np.unravel_index(places[(n, c, *at)], size))] = y[(n, c, *at)]
    return x


def _divisor(axes, area, count_include_pad):
    return area if count_include_pad else max(math.prod(map(len, axes)), 1)


def avg_pool(x, form, count_include_pad=True, divisor=None):
    out, places = form
    y = np.zeros((*x.shape[:2], *out))
    for place, (axes, area) in places.items():
        total = _seen(x, axes).sum(2)
        y[(..., *place)] = total / (divisor or _divisor(axes, area, count_include_pad))
    return y


def avg_pool_vjp(gy, x, form, count_include_pad=True, divisor=None):
    gx = np.zeros_like(x)
    for place, (axes, area) in form[1].items():
        share = gy[(..., *place)] / (divisor or _divisor(axes, area, count_include_pad))
        for read in itertools.product(*axes):
            gx[(..., *read)] += share
    return (gx,)


def lp_pool(x, form, p):
    return avg_pool(np.abs(x) ** p, form, divisor=1) ** (1 / p)


def lp_pool_vjp(gy, x, form, p):
    """d y / d x = sign(x) (|x| / y)^(p - 1)."""
    gx = np.zeros_like(x)
    y = lp_pool(x, form, p)
    for place, (axes, _) in form[1].items():
        for read in itertools.product(*axes):
            at, norm = x[(..., *read)], y[(..., *place)]
            gx[(..., *read)] += gy[(..., *place)] * np.sign(at) * (np.abs(at) / norm) ** (p - 1)
    return (gx,)


def unfold(x, form):
    """Columns of the taps of each window, 0 in the padding: `form` is of the padded image."""
    _, places = form
    columns = [_seen(x, axes) for axes, _ in places.values()]
    rows = [c.reshape(x.shape[0], -1) for c in columns]
    return np.stack(rows, 2)


def unfold_vjp(gy, x, form):
    gx = np.zeros_like(x)
    for number, (axes, _) in enumerate(form[1].values()):
        taps = gy[:, :, number].reshape(*x.shape[:2], -1)
        for tap, read in enumerate(itertools.product(*axes)):
            gx[(..., *read)] += taps[:, :, tap]
    return (gx,)
