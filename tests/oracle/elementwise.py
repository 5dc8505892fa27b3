"""Elementwise ops and their derivatives."""

from __future__ import annotations

import math

import numpy as np

_erf = np.vectorize(math.erf, otypes=[np.float64])


def sigmoid(x):
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1.0 / (1.0 + e), e / (1.0 + e))


# name: (value, derivative), both of x.
UNARY = {
    "neg": (lambda x: -x, lambda x: -np.ones_like(x)),
    "abs": (np.abs, np.sign),
    "sign": (np.sign, np.zeros_like),
    "floor": (np.floor, np.zeros_like),
    "ceil": (np.ceil, np.zeros_like),
    "round": (np.round, np.zeros_like),
    "reciprocal": (lambda x: 1 / x, lambda x: -1 / x**2),
    "square": (lambda x: x * x, lambda x: 2 * x),
    "sqrt": (np.sqrt, lambda x: 0.5 / np.sqrt(x)),
    "rsqrt": (lambda x: 1 / np.sqrt(x), lambda x: -0.5 / np.sqrt(x) ** 3),
    "exp": (np.exp, np.exp),
    "log": (np.log, lambda x: 1 / x),
    "sin": (np.sin, np.cos),
    "cos": (np.cos, lambda x: -np.sin(x)),
    "trunc": (np.trunc, np.zeros_like),
    "expm1": (np.expm1, np.exp),
    "log1p": (np.log1p, lambda x: 1 / (1 + x)),
    "tan": (np.tan, lambda x: 1 / np.cos(x) ** 2),
    "asin": (np.arcsin, lambda x: 1 / np.sqrt(1 - x * x)),
    "acos": (np.arccos, lambda x: -1 / np.sqrt(1 - x * x)),
    "atan": (np.arctan, lambda x: 1 / (1 + x * x)),
    "sinh": (np.sinh, np.cosh),
    "cosh": (np.cosh, np.sinh),
    "asinh": (np.arcsinh, lambda x: 1 / np.sqrt(x * x + 1)),
    "acosh": (np.arccosh, lambda x: 1 / np.sqrt(x * x - 1)),
    "atanh": (np.arctanh, lambda x: 1 / (1 - x * x)),
    "tanh": (np.tanh, lambda x: 1 - np.tanh(x) ** 2),
    "sigmoid": (sigmoid, lambda x: sigmoid(x) * (1 - sigmoid(x))),
    "erf": (_erf, lambda x: 2 / math.sqrt(math.pi) * np.exp(-x * x)),
    "relu": (lambda x: np.maximum(x, 0), lambda x: (x > 0).astype(np.float64)),
}

# name: (value, derivative by a, derivative by b).
BINARY = {
    "add": (np.add, lambda a, b: np.ones_like(a + b), lambda a, b: np.ones_like(a + b)),
    "sub": (np.subtract, lambda a, b: np.ones_like(a + b), lambda a, b: -np.ones_like(a + b)),
    "mul": (np.multiply, lambda a, b: b + 0 * a, lambda a, b: a + 0 * b),
    "div": (np.divide, lambda a, b: 1 / b + 0 * a, lambda a, b: -a / b**2),
    "pow": (np.power, lambda a, b: b * a ** (b - 1), lambda a, b: a**b * np.log(a)),
    "maximum": (np.maximum, lambda a, b: _share(a, b), lambda a, b: _share(b, a)),
    "minimum": (np.minimum, lambda a, b: _share(-a, -b), lambda a, b: _share(-b, -a)),
    "remainder": (np.mod, lambda a, b: np.ones_like(a + b), lambda a, b: -np.floor(a / b)),
    "fmod": (np.fmod, lambda a, b: np.ones_like(a + b), lambda a, b: -np.trunc(a / b)),
}

COMPARE = {
    "eq": np.equal,
    "ne": np.not_equal,
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
}

BITS = {
    "bitwise_and": np.bitwise_and,
    "bitwise_or": np.bitwise_or,
    "bitwise_xor": np.bitwise_xor,
    "bitwise_left_shift": lambda a, b: _shift(a, b, 1),
    "bitwise_right_shift": lambda a, b: _shift(a, b, -1),
}


def _shift(a, b, sign):
    """In Python's integers without bounds, wrapped at the end."""
    bits = 8 * a.dtype.itemsize
    out = []
    for x, by in zip(a.tolist(), b.tolist(), strict=True):
        # Shifts that leave nothing but the sign stand for all that go further.
        by = by if 0 <= by < bits else bits
        out.append((x << by if sign == 1 else x >> by) % (1 << bits))
    return np.array(out, np.uint64).astype(f"uint{bits}").view(a.dtype)


def _share(a, b):
    """1 where a is larger, 1/2 at ties."""
    return (a > b) + 0.5 * (a == b)


def unbroadcast(gradient, shape):
    """Summed over the axes along which an operand of that shape was repeated."""
    gradient = np.asarray(gradient)
    while gradient.ndim > len(shape):
        gradient = gradient.sum(0)
    for axis, length in enumerate(shape):
        if length == 1:
            gradient = gradient.sum(axis, keepdims=True)
    return gradient


def unary_vjp(name):
    return lambda gy, x: (gy * UNARY[name][1](x),)


def binary_vjp(name):
    _, by_a, by_b = BINARY[name]
    return lambda gy, a, b: (
        unbroadcast(gy * by_a(a, b), a.shape),
        unbroadcast(gy * by_b(a, b), b.shape),
    )


def leaky_relu(x, slope):
    return np.where(x > 0, x, slope * x)


def leaky_relu_vjp(gy, x, slope):
    return (gy * np.where(x > 0, 1.0, slope),)


def clip(x, low, high):
    return np.clip(x, -np.inf if low is None else low, np.inf if high is None else high)


def clip_vjp(gy, x, low, high):
    inside = (x >= (-np.inf if low is None else low)) & (x <= (np.inf if high is None else high))
    return (gy * inside,)


def where_vjp(gy, condition, a, b):
    return unbroadcast(gy * condition, a.shape), unbroadcast(gy * ~condition, b.shape)
