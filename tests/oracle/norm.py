"""Batch, layer, group and RMS normalisation, and that over neighbouring channels."""

from __future__ import annotations

import numpy as np


def _lift(v, x):
    return v.reshape(1, -1, *([1] * (x.ndim - 2)))


def _axes(x):
    return (0, *range(2, x.ndim))


def batch_norm_training(x, weight, bias, eps):
    """y, the batch's mean, its biased variance."""
    mean = x.mean(_axes(x))
    var = ((x - _lift(mean, x)) ** 2).mean(_axes(x))
    return batch_norm(x, weight, bias, mean, var, eps), mean, var


def batch_norm(x, weight, bias, mean, var, eps):
    return (x - _lift(mean, x)) / np.sqrt(_lift(var, x) + eps) * _lift(weight, x) + _lift(bias, x)


def batch_norm_training_vjp(gy, x, weight, bias, eps):
    """With h = (x - mean) / sd: gx = weight / sd * (gy - mean(gy) - h mean(gy h))."""
    _, mean, var = batch_norm_training(x, weight, bias, eps)
    sd = np.sqrt(var + eps)
    h = (x - _lift(mean, x)) / _lift(sd, x)
    centred = gy - _lift(gy.mean(_axes(x)), x) - h * _lift((gy * h).mean(_axes(x)), x)
    return _lift(weight / sd, x) * centred, (gy * h).sum(_axes(x)), gy.sum(_axes(x))


def batch_norm_vjp(gy, x, weight, bias, mean, var, eps):
    """By x, weight, bias, mean and var: var enters as -1/2 (x - mean) (var + eps)^-3/2."""
    sd = np.sqrt(var + eps)
    h = (x - _lift(mean, x)) / _lift(sd, x)
    gx = gy * _lift(weight / sd, x)
    g_var = -0.5 * (gy * h).sum(_axes(x)) * weight / sd**2
    return gx, (gy * h).sum(_axes(x)), gy.sum(_axes(x)), -gx.sum(_axes(x)), g_var


def layer_norm(x, weight, bias, eps):
    """y, and of each row (the last axes, as many as weight has) the mean and 1 / sqrt(var + eps)."""
    axes = tuple(range(-weight.ndim, 0))
    mean = x.mean(axes, keepdims=True)
    inverse = 1 / np.sqrt(((x - mean) ** 2).mean(axes, keepdims=True) + eps)
    return (x - mean) * inverse * weight + bias, mean, inverse


def layer_norm_vjp(gy, x, weight, bias, eps):
    """By the definition, row after row: d h_j / d x_i = inverse (1[i = j] - 1 / n - h_i h_j / n)."""
    _, mean, inverse = layer_norm(x, weight, bias, eps)
    n = weight.size
    rows = ((x - mean) * inverse).reshape(-1, n)
    gy_rows = gy.reshape(-1, n)
    gx = np.empty_like(rows)
    for row, (h, g, scale) in enumerate(zip(rows, gy_rows, inverse.ravel(), strict=True)):
        jacobian = scale * (np.eye(n) - 1 / n - np.outer(h, h) / n)
        gx[row] = jacobian @ (g * weight.ravel())
    g_weight = (gy_rows * rows).sum(0).reshape(weight.shape)
    return gx.reshape(x.shape), g_weight, gy_rows.sum(0).reshape(weight.shape)


def group_norm(x, weight, bias, groups, eps):
    """Sample by sample and group by group."""
    y = np.empty_like(x)
    each = x.shape[1] // groups
    for sample in range(x.shape[0]):
        for group in range(groups):
            part = slice(group * each, (group + 1) * each)
            own = x[sample, part]
            h = (own - own.mean()) / np.sqrt(own.var() + eps) if own.size else own
            y[sample, part] = h * _lift(weight[part], own[None])[0] + _lift(bias[part], own[None])[0]
    return y


def group_norm_vjp(gy, x, weight, bias, groups, eps):
    """By the Jacobian of each group, as of a row of `layer_norm`."""
    gx, h_all = np.empty_like(x), np.empty_like(x)
    each = x.shape[1] // groups
    for sample in range(x.shape[0]):
        for group in range(groups):
            part = slice(group * each, (group + 1) * each)
            own = x[sample, part]
            if own.size == 0:
                continue
            scale = 1 / np.sqrt(own.var() + eps)
            h = (own - own.mean()) * scale
            g = (gy[sample, part] * _lift(weight[part], own[None])[0]).ravel()
            n = own.size
            jacobian = scale * (np.eye(n) - 1 / n - np.outer(h, h) / n)
            gx[sample, part] = (jacobian @ g).reshape(own.shape)
            h_all[sample, part] = h
    return gx, (gy * h_all).sum(_axes(x)), gy.sum(_axes(x))


def rms_norm(x, weight, eps):
    axes = tuple(range(-weight.ndim, 0))
    return x / np.sqrt((x * x).mean(axes, keepdims=True) + eps) * weight


def rms_norm_vjp(gy, x, weight, eps):
    """Row by row: d h_j / d x_i = scale (1[i = j] - h_i h_j / n)."""
    n = weight.size
    rows, gy_rows = x.reshape(-1, n), gy.reshape(-1, n)
    gx, h_all = np.empty_like(rows), np.empty_like(rows)
    for row, (own, g) in enumerate(zip(rows, gy_rows, strict=True)):
        scale = 1 / np.sqrt((own * own).mean() + eps)
        h = own * scale
        gx[row] = scale * (np.eye(n) - np.outer(h, h) / n) @ (g * weight.ravel())
        h_all[row] = h
    return gx.reshape(x.shape), (gy_rows * h_all).sum(0).reshape(weight.shape)


def local_response_norm(x, size, alpha, beta, k):
    """The window of channel c begins size // 2 before it."""
    y = np.empty_like(x)
    channels = x.shape[1]
    for c in range(channels):
        first = c - size // 2
        window = x[:, max(first, 0) : max(first + size, 0)]
        y[:, c] = x[:, c] / (k + alpha / size * (window**2).sum(1)) ** beta
    return y
