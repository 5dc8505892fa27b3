"""Activations that are short formulas of elementwise ops, with which they fuse."""

from __future__ import annotations

from typing import Literal

from lamina._lamina import Tensor
from lamina.ops._record import TensorLike, one


def gelu(x: TensorLike, approximate: Literal["none", "tanh"] = "none") -> Tensor:
    """X times the normal distribution's share below x (Hendrycks and Gimpel 2016).

    x / 2 * (1 + erf(x / sqrt(2))), or with `tanh`
    x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))).

    Args:
        x: Any shape, floats.
        approximate: `none`, or `tanh` for the approximation.

    Returns:
        The shape of x, of x's dtype.

    Raises:
        UnsupportedError: x is not of floats.

    Example:
        >>> ops.gelu(lamina.tensor([0.0, 10.0])).tolist()
        [0.0, 10.0]
    """
    return one("gelu", x, approximate=approximate)


def silu(x: TensorLike) -> Tensor:
    """X * sigmoid(x), also called swish.

    Args:
        x: Any shape, floats.

    Returns:
        The shape of x, of x's dtype.

    Raises:
        UnsupportedError: x is not of floats.

    Example:
        >>> ops.silu(lamina.tensor([0.0])).tolist()
        [0.0]
    """
    return one("silu", x)


def hardswish(x: TensorLike) -> Tensor:
    """X * clip(x / 6 + 1 / 2, 0, 1) (Howard et al. 2019).

    Args:
        x: Any shape, floats.

    Returns:
        The shape of x, of x's dtype.

    Raises:
        UnsupportedError: x is not of floats.

    Example:
        >>> ops.hardswish(lamina.tensor([0.0, 4.0])).tolist()
        [0.0, 4.0]
    """
    return one("hardswish", x)
