"""Scaled dot-product attention (Vaswani et al. 2017), in float64."""

import numpy as np


def _weights(q, k, scale, mask):
    scores = np.einsum("...rd,...kd->...rk", q, k) * scale + mask
    top = scores.max(axis=-1, keepdims=True)
    e = np.exp(scores - np.where(np.isfinite(top), top, 0.0))
    total = e.sum(axis=-1, keepdims=True)
    return np.divide(e, total, out=np.zeros_like(e), where=total > 0)


def attention(q, k, v, scale=1.0, mask=0.0):
    """softmax(scale q kᵀ + mask) v; rows that see nothing give zeros."""
    return np.einsum("...rk,...kc->...rc", _weights(q, k, scale, mask), v)


def attention_vjp(gy, q, k, v, scale=1.0, mask=0.0):
    w = _weights(q, k, scale, mask)
    gw = np.einsum("...rc,...kc->...rk", gy, v)
    gs = w * (gw - (gw * w).sum(axis=-1, keepdims=True)) * scale
    return (
        np.einsum("...rk,...kd->...rd", gs, k),
        np.einsum("...rk,...rd->...kd", gs, q),
        np.einsum("...rk,...rc->...kc", w, gy),
    )
