"""Pooling, window by window."""

from __future__ import annotations

import math

import numpy as np

from oracle.product import paddings, pair


def _windows(x_shape, kernel, stride, padding, dilation, ceil_mode):
    """For each output place, the input rows and columns inside the picture, and the padded area."""
    kernel, dilation = pair(kernel), pair(dilation)
    stride = kernel if stride is None else pair(stride)
    pads = paddings(padding, x_shape[2:], kernel, stride, dilation)
    out = []
    for a in range(2):
        free = x_shape[2 + a] + sum(pads[a]) - dilation[a] * (kernel[a] - 1) - 1
        count = (math.ceil if ceil_mode else math.floor)(free / stride[a]) + 1
        # The last window must start inside the input or the padding before it.
        if ceil_mode and (count - 1) * stride[a] >= x_shape[2 + a] + pads[a][0]:
            count -= 1
        out.append(count)
    places = {}
    for y in range(out[0]):
        for z in range(out[1]):
            axes, area = [], 1
            for a, at in enumerate((y, z)):
                start = at * stride[a] - pads[a][0]
                reads = [start + t * dilation[a] for t in range(kernel[a])]
                axes.append([r for r in reads if 0 <= r < x_shape[2 + a]])
                area *= sum(1 for r in reads if r < x_shape[2 + a] + pads[a][1])
            places[y, z] = (*axes, area)
    return out, places


def max_pool2d(x, kernel, stride=None, padding=0, dilation=1, ceil_mode=False):
    out, places = _windows(x.shape, kernel, stride, padding, dilation, ceil_mode)
    y = np.full((*x.shape[:2], *out), -np.inf)
    for (i, j), (rows, columns, _) in places.items():
        if rows and columns:
            y[:, :, i, j] = x[:, :, rows][:, :, :, columns].max((2, 3))
    return y


def max_pool2d_vjp(gy, x, kernel, stride=None, padding=0, dilation=1, ceil_mode=False):
    """To the first maximum in row order."""
    _, places = _windows(x.shape, kernel, stride, padding, dilation, ceil_mode)
    gx = np.zeros_like(x)
    for (i, j), (rows, columns, _) in places.items():
        if not rows or not columns:
            continue
        window = x[:, :, rows][:, :, :, columns]
        first = window.reshape(*x.shape[:2], -1).argmax(2)
        for n, c in np.ndindex(x.shape[:2]):
            r, k = divmod(int(first[n, c]), len(columns))
            gx[n, c, rows[r], columns[k]] += gy[n, c, i, j]
    return (gx,)


def _divisor(rows, columns, area, count_include_pad):
    return area if count_include_pad else max(len(rows) * len(columns), 1)


def avg_pool2d(x, kernel, stride=None, padding=0, ceil_mode=False, count_include_pad=True):
    out, places = _windows(x.shape, kernel, stride, padding, 1, ceil_mode)
    y = np.zeros((*x.shape[:2], *out))
    for (i, j), (rows, columns, area) in places.items():
        total = x[:, :, rows][:, :, :, columns].sum((2, 3))
        y[:, :, i, j] = total / _divisor(rows, columns, area, count_include_pad)
    return y


def avg_pool2d_vjp(gy, x, kernel, stride=None, padding=0, ceil_mode=False, count_include_pad=True):
    _, places = _windows(x.shape, kernel, stride, padding, 1, ceil_mode)
    gx = np.zeros_like(x)
    for (i, j), (rows, columns, area) in places.items():
        share = gy[:, :, i, j] / _divisor(rows, columns, area, count_include_pad)
        for r in rows:
            for c in columns:
                gx[:, :, r, c] += share
    return (gx,)
