"""Dropout layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from lamina import ops
from lamina._lamina import ArgumentError, Tensor
from lamina.nn.module import Module


class _Dropout(Module):
    """In evaluation x as it is; a layer says which op it is in training."""

    _op: ClassVar[Callable[..., Tensor]]

    def __init__(self, p: float = 0.5) -> None:
        if not 0.0 <= p < 1.0:
            raise ArgumentError(f"{type(self).__name__}: p={p} is not in [0, 1)")
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        """Any shape, the same out."""
        return type(self)._op(x, self.p) if self.training and self.p > 0.0 else x

    def extra_repr(self) -> str:
        """The probability."""
        return f"p={self.p}"


class Dropout(_Dropout):
    """In training, 0 with probability p, else x / (1 - p); in evaluation, x.

    Args:
        p: Probability, 0 <= p < 1.

    Raises:
        ArgumentError: p is out of range.

    Example:
        >>> nn.Dropout(0.5).eval()(lamina.tensor([1.0])).tolist()
        [1.0]
    """

    _op = staticmethod(ops.dropout)


class Dropout1d(_Dropout):
    """In training whole channels of (batch, channels, length) at a time.

    See `lamina.ops.feature_dropout`.

    Args:
        p: Probability, 0 <= p < 1.

    Raises:
        ArgumentError: p is out of range.

    Example:
        >>> nn.Dropout1d().eval()(ops.ones((1, 2, 3))).shape
        (1, 2, 3)
    """

    _op = staticmethod(ops.feature_dropout)


class Dropout2d(_Dropout):
    """In training whole channels of (batch, channels, height, width) at a time.

    See `lamina.ops.feature_dropout`.

    Args:
        p: Probability, 0 <= p < 1.

    Raises:
        ArgumentError: p is out of range.

    Example:
        >>> nn.Dropout2d().eval()(ops.ones((1, 2, 3, 3))).shape
        (1, 2, 3, 3)
    """

    _op = staticmethod(ops.feature_dropout)


class Dropout3d(_Dropout):
    """In training whole channels of (batch, channels, depth, height, width) at a time.

    See `lamina.ops.feature_dropout`.

    Args:
        p: Probability, 0 <= p < 1.

    Raises:
        ArgumentError: p is out of range.

    Example:
        >>> nn.Dropout3d().eval()(ops.ones((1, 2, 3, 3, 3))).shape
        (1, 2, 3, 3, 3)
    """

    _op = staticmethod(ops.feature_dropout)


class AlphaDropout(_Dropout):
    """Dropout beside `SELU`, in training: keeps mean and variance; see `lamina.ops.alpha_dropout`.

    Args:
        p: Probability, 0 <= p < 1.

    Raises:
        ArgumentError: p is out of range.

    Example:
        >>> nn.AlphaDropout().eval()(lamina.tensor([1.0])).tolist()
        [1.0]
    """

    _op = staticmethod(ops.alpha_dropout)
