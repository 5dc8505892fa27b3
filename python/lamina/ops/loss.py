"""Losses as ops."""

from __future__ import annotations

from typing import Literal, TypeAlias

from lamina._lamina import Tensor
from lamina.ops._record import TensorLike, one

Reduction: TypeAlias = Literal["mean", "sum", "none"]


def cross_entropy(logits: TensorLike, target: TensorLike, reduction: Reduction = "mean") -> Tensor:
    """-log softmax(logits)[target].

    Args:
        logits: (batch, classes, *), not normalised.
        target: int64 class indices, (batch, *).
        reduction: `mean` over all targets, `sum`, or `none`.

    Returns:
        0-d, or (batch, *) for `none`; in nats.

    Raises:
        ShapeError: The shapes do not belong together.
        DTypeError: The target is not of integers.

    Example:
        >>> round(ops.cross_entropy(lamina.tensor([[5.0, 5.0]]), lamina.tensor([0])).item(), 4)
        0.6931
    """
    return one("cross_entropy", logits, target, reduction=reduction)


def mse_loss(x: TensorLike, target: TensorLike, reduction: Reduction = "mean") -> Tensor:
    """(x - target)^2.

    Args:
        x: Any shape.
        target: The same shape.
        reduction: `mean` over all elements, `sum`, or `none`.

    Returns:
        0-d, or the shape of x for `none`.

    Raises:
        ShapeError: The shapes differ.

    Example:
        >>> ops.mse_loss(lamina.tensor([1.0, 2.0]), lamina.tensor([1.0, 4.0])).item()
        2.0
    """
    return one("mse_loss", x, target, reduction=reduction)
