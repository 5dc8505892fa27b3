"""Losses, a value for each element or row; `reduced` makes one of them."""

from __future__ import annotations

import numpy as np


def reduced(loss, reduction, weights=None):
    if reduction == "none":
        return loss
    if reduction == "sum":
        return loss.sum()
    return loss.mean() if weights is None else loss.sum() / weights.sum()


def log_softmax(x, axis):
    shifted = x - x.max(axis, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis, keepdims=True))


def nll(log_p, target, reduction, weight=None, ignore_index=-100, smoothing=0.0):
    """Target by target, of log_p (batch, classes, *)."""
    classes = log_p.shape[1]
    weight = np.ones(classes) if weight is None else weight
    loss, weights = np.zeros(target.shape), np.zeros(target.shape)
    for at in np.ndindex(*target.shape):
        row = log_p[(at[0], slice(None), *at[1:])]
        if target[at] == ignore_index:
            continue
        weights[at] = weight[target[at]]
        loss[at] = -(1 - smoothing) * weights[at] * row[target[at]]
        loss[at] -= smoothing / classes * (weight * row).sum()
    return reduced(loss, reduction, weights)


def soft_cross_entropy(x, target, reduction, weight=None, smoothing=0.0):
    """Of probabilities (batch, classes)."""
    weight = np.ones(x.shape[1]) if weight is None else weight
    mixed = (1 - smoothing) * target + smoothing / x.shape[1]
    return reduced(-(weight * mixed * log_softmax(x, 1)).sum(1), reduction)


def smooth_l1(x, target, beta):
    d = np.abs(x - target)
    return d if beta == 0 else np.where(d < beta, d * d / (2 * beta), d - beta / 2)


def huber(x, target, delta):
    d = np.abs(x - target)
    return np.where(d <= delta, d * d / 2, delta * (d - delta / 2))


def bce(x, target, weight=1.0):
    with np.errstate(divide="ignore"):
        hit, miss = np.maximum(np.log(x), -100), np.maximum(np.log(1 - x), -100)
    return -weight * (target * hit + (1 - target) * miss)


def bce_with_logits(x, target, weight=1.0, pos_weight=1.0):
    """By ln sigmoid(x) = -ln(1 + e^-x)."""
    return weight * (pos_weight * target * np.logaddexp(0, -x) + (1 - target) * np.logaddexp(0, x))


def kl_div(x, target):
    log = np.log(np.where(target > 0, target, 1.0))
    return target * (log - x)


def poisson_nll(x, target, log_input, full, eps):
    loss = np.exp(x) - target * x if log_input else x - target * np.log(x + eps)
    above = np.where(target > 1, target, 1.0)
    stirling = above * np.log(above) - above + np.log(2 * np.pi * above) / 2
    return loss + full * np.where(target > 1, stirling, 0.0)


def gaussian_nll(x, target, var, full, eps):
    var = np.maximum(var, eps)
    return (np.log(var) + (x - target) ** 2 / var) / 2 + full * np.log(2 * np.pi) / 2


def cosine(a, b, axis, eps):
    lengths = [np.maximum(np.sqrt((v * v).sum(axis)), eps) for v in np.broadcast_arrays(a, b)]
    return (a * b).sum(axis) / (lengths[0] * lengths[1])


def distance(a, b, p, eps):
    d = np.abs(a - b + eps)
    return d.max(-1) if p == np.inf else (d**p).sum(-1) ** (1 / p)


def triplet(anchor, positive, negative, margin, p, eps, swap):
    far = distance(anchor, negative, p, eps)
    if swap:
        far = np.minimum(far, distance(positive, negative, p, eps))
    return np.maximum(distance(anchor, positive, p, eps) - far + margin, 0)
