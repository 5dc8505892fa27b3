"""Matrix products and convolution."""

from __future__ import annotations

import numpy as np

from oracle.elementwise import unbroadcast


def matmul(a, b):
    """Row by column over the inner axis, one k at a time."""
    left = a[None, :] if a.ndim == 1 else a
    right = b[:, None] if b.ndim == 1 else b
    before = np.broadcast_shapes(left.shape[:-2], right.shape[:-2])
    out = np.zeros((*before, left.shape[-2], right.shape[-1]))
    for k in range(left.shape[-1]):
        out += left[..., :, k, None] * right[..., k, None, :]
    out = out[..., 0, :] if a.ndim == 1 else out
    return out[..., 0] if b.ndim == 1 else out


def matmul_vjp(gy, a, b):
    left = a[None, :] if a.ndim == 1 else a
    right = b[:, None] if b.ndim == 1 else b
    g = gy[..., None] if b.ndim == 1 else gy
    g = g[..., None, :] if a.ndim == 1 else g
    ga = unbroadcast(matmul(g, np.swapaxes(right, -1, -2)), left.shape)
    gb = unbroadcast(matmul(np.swapaxes(left, -1, -2), g), right.shape)
    return ga.reshape(a.shape), gb.reshape(b.shape)


def paddings(padding, size, kernel, stride, dilation):
    """(before, after) on each of two axes."""
    if padding == "valid":
        return [(0, 0), (0, 0)]
    if padding in ("same", "same_lower"):
        out = []
        for axis in range(2):
            wanted = -(-size[axis] // stride[axis])
            reach = dilation[axis] * (kernel[axis] - 1) + 1
            missing = max(0, (wanted - 1) * stride[axis] + reach - size[axis])
            few, many = missing // 2, missing - missing // 2
            out.append((few, many) if padding == "same" else (many, few))
        return out
    if isinstance(padding, int):
        return [(padding, padding)] * 2
    return [(p, p) if isinstance(p, int) else tuple(p) for p in padding]


def pair(value):
    return (value, value) if isinstance(value, int) else tuple(value)


def _taps(x_shape, kernel, stride, padding, dilation):
    """Output size, padding, and for each tap the slices of the padded input it reads."""
    stride, dilation = pair(stride), pair(dilation)
    pads = paddings(padding, x_shape[2:], kernel, stride, dilation)
    out = [
        (x_shape[2 + a] + sum(pads[a]) - dilation[a] * (kernel[a] - 1) - 1) // stride[a] + 1 for a in range(2)
    ]
    taps = []
    for i in range(kernel[0]):
        for j in range(kernel[1]):
            rows = slice(i * dilation[0], i * dilation[0] + stride[0] * (out[0] - 1) + 1, stride[0])
            columns = slice(j * dilation[1], j * dilation[1] + stride[1] * (out[1] - 1) + 1, stride[1])
            taps.append((i, j, rows, columns))
    return out, pads, taps


def conv2d(x, w, b=None, stride=1, padding=0, dilation=1, groups=1):
    """Tap by tap, group by group."""
    n, o = x.shape[0], w.shape[0]
    out, pads, taps = _taps(x.shape, w.shape[2:], stride, padding, dilation)
    padded = np.pad(x, [(0, 0), (0, 0), *pads])
    y = np.zeros((n, o, *out))
    per_out, per_in = o // groups, x.shape[1] // groups
    for g in range(groups):
        outs, ins = slice(g * per_out, (g + 1) * per_out), slice(g * per_in, (g + 1) * per_in)
        for i, j, rows, columns in taps:
            y[:, outs] += np.einsum("ncyx,oc->noyx", padded[:, ins, rows, columns], w[outs, :, i, j])
    return y if b is None else y + b[None, :, None, None]


def conv2d_vjp(gy, x, w, b=None, stride=1, padding=0, dilation=1, groups=1):
    _, pads, taps = _taps(x.shape, w.shape[2:], stride, padding, dilation)
    padded = np.pad(x, [(0, 0), (0, 0), *pads])
    gx, gw = np.zeros_like(padded), np.zeros_like(w)
    per_out, per_in = w.shape[0] // groups, x.shape[1] // groups
    for g in range(groups):
        outs, ins = slice(g * per_out, (g + 1) * per_out), slice(g * per_in, (g + 1) * per_in)
        for i, j, rows, columns in taps:
            gx[:, ins, rows, columns] += np.einsum("noyx,oc->ncyx", gy[:, outs], w[outs, :, i, j])
            gw[outs, :, i, j] += np.einsum("noyx,ncyx->oc", gy[:, outs], padded[:, ins, rows, columns])
    (top, _), (left, _) = pads
    gx = gx[:, :, top : top + x.shape[2], left : left + x.shape[3]]
    return (gx, gw) if b is None else (gx, gw, gy.sum((0, 2, 3)))
