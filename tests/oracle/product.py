"""Matrix products and convolution."""

from __future__ import annotations

import itertools

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


def each(value, rank):
    """One number for each axis."""
    return (value,) * rank if isinstance(value, int) else tuple(value)


def paddings(padding, size, kernel, stride, dilation):
    """(before, after) on each axis."""
    rank = len(size)
    if padding in ("same", "same_lower"):
        out = []
        for axis in range(rank):
            wanted = -(-size[axis] // stride[axis])
            reach = dilation[axis] * (kernel[axis] - 1) + 1
            missing = max(0, (wanted - 1) * stride[axis] + reach - size[axis])
            few, many = missing // 2, missing - missing // 2
            out.append((few, many) if padding == "same" else (many, few))
        return out
    padding = 0 if padding == "valid" else padding
    if isinstance(padding, int):
        return [(padding, padding)] * rank
    return [(p, p) if isinstance(p, int) else tuple(p) for p in padding]


def _taps(x_shape, kernel, stride, padding, dilation):
    """Output size, padding, and for each tap the slices of the padded input it reads."""
    rank = len(kernel)
    stride, dilation = each(stride, rank), each(dilation, rank)
    pads = paddings(padding, x_shape[2:], kernel, stride, dilation)
    out = [
        (x_shape[2 + a] + sum(pads[a]) - dilation[a] * (kernel[a] - 1) - 1) // stride[a] + 1
        for a in range(rank)
    ]
    taps = []
    for tap in itertools.product(*map(range, kernel)):
        starts = [t * d for t, d in zip(tap, dilation, strict=True)]
        reads = (slice(s, s + st * (n - 1) + 1, st) for s, st, n in zip(starts, stride, out, strict=True))
        taps.append((tap, tuple(reads)))
    return out, pads, taps


def _groups(groups, w, x):
    """Output and input channels of each group."""
    outs, ins = w.shape[0] // groups, x.shape[1] // groups
    return [(slice(g * outs, (g + 1) * outs), slice(g * ins, (g + 1) * ins)) for g in range(groups)]


def _pairs(a, b):
    """The sum over batch and pixels of each channel of a times each of b."""
    return np.einsum("nap,nbp->ab", *(t.reshape(*t.shape[:2], int(np.prod(t.shape[2:]))) for t in (a, b)))


def conv(x, w, b=None, stride=1, padding=0, dilation=1, groups=1):
    """Tap by tap, group by group, over any number of axes."""
    out, pads, taps = _taps(x.shape, w.shape[2:], stride, padding, dilation)
    padded = np.pad(x, [(0, 0), (0, 0), *pads])
    y = np.zeros((x.shape[0], w.shape[0], *out))
    for outs, ins in _groups(groups, w, x):
        for tap, reads in taps:
            weight = w[(outs, slice(None), *tap)]
            y[:, outs] += np.einsum("nc...,oc->no...", padded[(slice(None), ins, *reads)], weight)
    return y if b is None else y + b.reshape(1, -1, *[1] * len(out))


def conv_vjp(gy, x, w, b=None, stride=1, padding=0, dilation=1, groups=1):
    _, pads, taps = _taps(x.shape, w.shape[2:], stride, padding, dilation)
    padded = np.pad(x, [(0, 0), (0, 0), *pads])
    gx, gw = np.zeros_like(padded), np.zeros_like(w)
    for outs, ins in _groups(groups, w, x):
        for tap, reads in taps:
            weight, seen = w[(outs, slice(None), *tap)], padded[(slice(None), ins, *reads)]
            gx[(slice(None), ins, *reads)] += np.einsum("no...,oc->nc...", gy[:, outs], weight)
            gw[(outs, slice(None), *tap)] += _pairs(gy[:, outs], seen)
    gx = gx[(..., *(slice(lo, lo + n) for (lo, _), n in zip(pads, x.shape[2:], strict=True)))]
    return (gx, gw) if b is None else (gx, gw, gy.sum((0, *range(2, gy.ndim))))


def _canvas(x, w, begin, size, stride, dilation):
    """What the windows reach, and more where the result does: its sizes, the result's part of it,
    and for each tap the slices that it writes."""
    rank = len(size)
    stride, dilation, kernel = each(stride, rank), each(dilation, rank), w.shape[2:]
    lead = [max(0, -b) for b in begin]
    full = [(x.shape[2 + a] - 1) * stride[a] + dilation[a] * (kernel[a] - 1) + 1 for a in range(rank)]
    sizes = [lead[a] + max(full[a], begin[a] + size[a]) for a in range(rank)]
    part = tuple(slice(lead[a] + begin[a], lead[a] + begin[a] + size[a]) for a in range(rank))
    taps = []
    for tap in itertools.product(*map(range, kernel)):
        starts = [lead[a] + tap[a] * dilation[a] for a in range(rank)]
        writes = (
            slice(s, s + st * (n - 1) + 1, st) for s, st, n in zip(starts, stride, x.shape[2:], strict=True)
        )
        taps.append((tap, tuple(writes)))
    return sizes, part, taps


def conv_transpose(x, w, b, begin, size, stride=1, dilation=1, groups=1):
    """Every element of x puts its share at every tap; the result begins at `begin`."""
    sizes, part, taps = _canvas(x, w, begin, size, stride, dilation)
    y = np.zeros((x.shape[0], w.shape[1] * groups, *sizes))
    for ins, outs in _groups(groups, x.swapaxes(0, 1), y):
        for tap, writes in taps:
            weight = w[(ins, slice(None), *tap)]
            y[(slice(None), outs, *writes)] += np.einsum("nc...,co->no...", x[:, ins], weight)
    return y[(..., *part)] + b.reshape(1, -1, *[1] * len(size))


def conv_transpose_vjp(gy, x, w, b, begin, size, stride=1, dilation=1, groups=1):
    sizes, part, taps = _canvas(x, w, begin, size, stride, dilation)
    g = np.zeros((x.shape[0], w.shape[1] * groups, *sizes))
    g[(..., *part)] = gy
    gx, gw = np.zeros_like(x), np.zeros_like(w)
    for ins, outs in _groups(groups, x.swapaxes(0, 1), g):
        for tap, writes in taps:
            weight, seen = w[(ins, slice(None), *tap)], g[(slice(None), outs, *writes)]
            gx[:, ins] += np.einsum("no...,co->nc...", seen, weight)
            gw[(ins, slice(None), *tap)] += _pairs(x[:, ins], seen)
    return gx, gw, gy.sum((0, *range(2, gy.ndim)))
