"""Reductions and softmax."""

from __future__ import annotations

import numpy as np


def _axes(x, dim):
    if dim is None:
        return tuple(range(x.ndim))
    return tuple(d % x.ndim for d in (dim if isinstance(dim, list | tuple) else [dim]))


def _spread(y, x, dim, keepdim):
    """A reduced array with its axes back, to broadcast against x."""
    return y if keepdim else np.expand_dims(y, _axes(x, dim))


def total(x, dim=None, keepdim=False):
    return np.sum(x, _axes(x, dim), keepdims=keepdim)


def total_vjp(gy, x, dim=None, keepdim=False):
    return (np.broadcast_to(_spread(gy, x, dim, keepdim), x.shape),)


def mean(x, dim=None, keepdim=False):
    return np.mean(x, _axes(x, dim), keepdims=keepdim)


def mean_vjp(gy, x, dim=None, keepdim=False):
    count = np.prod([x.shape[a] for a in _axes(x, dim)])
    return (np.broadcast_to(_spread(gy, x, dim, keepdim), x.shape) / count,)


def prod(x, dim=None, keepdim=False):
    return np.prod(x, _axes(x, dim), keepdims=keepdim)


def prod_vjp(gy, x, dim=None, keepdim=False):
    """The product of all others, element by element."""
    axes = _axes(x, dim)
    out = np.empty(x.shape)
    gy = np.broadcast_to(_spread(gy, x, dim, keepdim), x.shape)
    for at in np.ndindex(x.shape):
        others = np.array(x[tuple(slice(None) if a in axes else slice(i, i + 1) for a, i in enumerate(at))])
        others[tuple(i if a in axes else 0 for a, i in enumerate(at))] = 1.0
        out[at] = gy[at] * others.prod()
    return (out,)


def largest(x, dim=None, keepdim=False):
    return np.max(x, _axes(x, dim), keepdims=keepdim)


def largest_vjp(gy, x, dim=None, keepdim=False):
    axes = _axes(x, dim)
    ties = x == np.max(x, axes, keepdims=True)
    return (_spread(gy, x, dim, keepdim) * ties / ties.sum(axes, keepdims=True),)


def smallest(x, dim=None, keepdim=False):
    return -largest(-x, dim, keepdim)


def smallest_vjp(gy, x, dim=None, keepdim=False):
    return largest_vjp(gy, -x, dim, keepdim)


def softmax(x, dim):
    e = np.exp(x - x.max(dim, keepdims=True))
    return e / e.sum(dim, keepdims=True)


def softmax_vjp(gy, x, dim):
    y = softmax(x, dim)
    return (y * (gy - (gy * y).sum(dim, keepdims=True)),)


def log_softmax(x, dim):
    shifted = x - x.max(dim, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(dim, keepdims=True))


def log_softmax_vjp(gy, x, dim):
    return (gy - softmax(x, dim) * gy.sum(dim, keepdims=True),)


def running(name, x, dim, exclusive, reverse):
    """Running sums or products, element by element."""
    start, join = {"cumsum": (0, np.add), "cumprod": (1, np.multiply)}[name]
    lines = np.moveaxis(x, dim, 0)
    out = np.empty_like(lines)
    total = np.full(lines.shape[1:], start, x.dtype)
    order = range(len(lines))
    for at in reversed(order) if reverse else order:
        before, total = total, join(total, lines[at])
        out[at] = before if exclusive else total
    return np.moveaxis(out, 0, dim)


def cumsum_vjp(gy, x, dim, exclusive, reverse):
    return (running("cumsum", gy, dim, exclusive, not reverse),)


def var(x, dim, correction, keepdim):
    return np.var(x, _axes(x, dim), ddof=correction, keepdims=keepdim)


def var_vjp(gy, x, dim, correction, keepdim):
    axes = _axes(x, dim)
    count = np.prod([x.shape[a] for a in axes])
    return (_spread(gy, x, dim, keepdim) * 2 * (x - x.mean(axes, keepdims=True)) / (count - correction),)


def std_vjp(gy, x, dim, correction, keepdim):
    y = np.sqrt(var(x, dim, correction, keepdim))
    return var_vjp(gy / (2 * y), x, dim, correction, keepdim)


def logsumexp(x, dim, keepdim):
    axes = _axes(x, dim)
    top = x.max(axes, keepdims=True)
    y = np.log(np.exp(x - top).sum(axes, keepdims=True)) + top
    return y if keepdim else np.squeeze(y, axes)


def logsumexp_vjp(gy, x, dim, keepdim):
    y = logsumexp(x, dim, True)
    return (_spread(gy, x, dim, keepdim) * np.exp(x - y),)


def norm(x, ord, dim, keepdim):
    size, axes = np.abs(x), _axes(x, dim)
    if np.isinf(ord):
        return (size.max if ord > 0 else size.min)(axes, keepdims=keepdim)
    return (size**ord).sum(axes, keepdims=keepdim) ** (1 / ord)


def norm_vjp(gy, x, ord, dim, keepdim):
    y = norm(x, ord, dim, True)
    if np.isinf(ord):
        return (_spread(gy, x, dim, keepdim) * np.sign(x) * (np.abs(x) == y),)
    return (_spread(gy, x, dim, keepdim) * np.sign(x) * np.abs(x) ** (ord - 1) * y ** (1 - ord),)
