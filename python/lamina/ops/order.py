"""Ops that order."""

from __future__ import annotations

from lamina._lamina import Tensor
from lamina.ops._record import TensorLike, many


def sort(x: TensorLike, dim: int = -1, descending: bool = False) -> tuple[Tensor, Tensor]:
    """Values in order along an axis, and where they were; stable, NaN last.

    Args:
        x: Any shape.
        dim: The axis.
        descending: Largest first.

    Returns:
        Values and int64 indices, both of x's shape.

    Example:
        >>> [t.tolist() for t in ops.sort(lamina.tensor([3.0, 1.0, 2.0]))]
        [[1.0, 2.0, 3.0], [1, 2, 0]]
    """
    values, index = many("sort", [x], {"dim": dim, "descending": descending})
    return values, index


def topk(x: TensorLike, k: int, dim: int = -1, largest: bool = True) -> tuple[Tensor, Tensor]:
    """The k largest (or smallest) values along an axis, in order; lower index wins ties.

    Args:
        x: Any shape.
        k: How many.
        dim: The axis.
        largest: False for the smallest.

    Returns:
        Values and int64 indices, x's shape with axis `dim` of length k.

    Raises:
        ShapeError: The axis is shorter than k.

    Example:
        >>> [t.tolist() for t in ops.topk(lamina.tensor([3.0, 1.0, 2.0]), 2)]
        [[3.0, 2.0], [0, 2]]
    """
    values, index = many("topk", [x], {"k": k, "dim": dim, "largest": largest})
    return values, index
