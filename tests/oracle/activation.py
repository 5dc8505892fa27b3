"""Activations that are formulas of elementwise functions, and their derivatives."""

from __future__ import annotations

import math

import numpy as np

from oracle.elementwise import _erf, sigmoid


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
