"""Activations that are formulas of elementwise functions, and their derivatives."""

from __future__ import annotations

import math

import numpy as np

from oracle.elementwise import _erf, sigmoid, unbroadcast


def gelu(x):
    return x / 2 * (1 + _erf(x / math.sqrt(2)))


def gelu_slope(x):
    """The distribution plus x times its density."""
    return (1 + _erf(x / math.sqrt(2))) / 2 + x * np.exp(-x * x / 2) / math.sqrt(2 * math.pi)


def _bell(x):
    return np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))


def gelu_tanh(x):
    return x / 2 * (1 + _bell(x))


def gelu_tanh_slope(x):
    inner = math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * x**2)
    return (1 + _bell(x)) / 2 + x / 2 * (1 - _bell(x) ** 2) * inner


def silu(x):
    return x * sigmoid(x)


def silu_slope(x):
    return sigmoid(x) * (1 + x * (1 - sigmoid(x)))


def hardswish(x):
    return np.where(x <= -3, 0, np.where(x >= 3, x, x * (x + 3) / 6))


def hardswish_slope(x):
    return np.where(x <= -3, 0, np.where(x >= 3, 1, (2 * x + 3) / 6))


def _softplus(x):
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def _elu(alpha, scale=1.0, width=1.0):
    low = lambda x: np.minimum(x, 0)  # noqa: E731
    return (
        lambda x: scale * np.where(x < 0, alpha * np.expm1(low(x) / width), x),
        lambda x: scale * np.where(x < 0, alpha / width * np.exp(low(x) / width), 1.0),
    )


def _mish_slope(x):
    t = np.tanh(_softplus(x))
    return t + x * sigmoid(x) * (1 - t * t)


# name: (value, derivative), with each function's usual parameters but for elu's and celu's alpha.
SHORT = {
    "elu": _elu(0.7),
    "celu": _elu(0.7, width=0.7),
    "selu": _elu(1.6732632423543772, 1.0507009873554805),
    "softplus": (_softplus, sigmoid),
    "softsign": (lambda x: x / (1 + np.abs(x)), lambda x: 1 / (1 + np.abs(x)) ** 2),
    "mish": (lambda x: x * np.tanh(_softplus(x)), _mish_slope),
    "logsigmoid": (lambda x: -_softplus(-x), lambda x: sigmoid(-x)),
    "hardsigmoid": (lambda x: np.clip(x / 6 + 0.5, 0, 1), lambda x: (np.abs(x) < 3) / 6),
    "hardtanh": (lambda x: np.clip(x, -1, 1), lambda x: (np.abs(x) < 1) * 1.0),
    "hardshrink": (lambda x: np.where(np.abs(x) > 0.5, x, 0), lambda x: (np.abs(x) > 0.5) * 1.0),
    "softshrink": (
        lambda x: np.sign(x) * np.maximum(np.abs(x) - 0.5, 0),
        lambda x: (np.abs(x) > 0.5) * 1.0,
    ),
    "threshold": (lambda x: np.where(x > 0.3, x, -2.0), lambda x: (x > 0.3) * 1.0),
}


def prelu(x, slope):
    return np.where(x < 0, slope * x, x)


def prelu_vjp(gy, x, slope):
    return gy * np.where(x < 0, slope, 1.0), unbroadcast(gy * np.where(x < 0, x, 0), slope.shape)
