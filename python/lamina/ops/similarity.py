"""How alike vectors are."""

from __future__ import annotations

from lamina._lamina import Tensor
from lamina.ops._record import TensorLike, one


def cosine_similarity(a: TensorLike, b: TensorLike, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """The scalar product along an axis by the product of the lengths.

    sum(a b) / (max(|a|, eps) max(|b|, eps)).

    Args:
        a: Any shape, floats.
        b: A shape that broadcasts with a's.
        dim: The axis, of the broadcast shape.
        eps: The least length that is divided by: two vectors of zeros give 0.

    Returns:
        The broadcast shape without that axis.

    Raises:
        ShapeError: The shapes do not broadcast.

    Example:
        >>> a, b = lamina.tensor([[1.0, 0.0]]), lamina.tensor([[3.0, 4.0]])
        >>> round(ops.cosine_similarity(a, b).item(), 4)
        0.6
    """
    return one("cosine_similarity", a, b, dim=dim, eps=eps)


def pairwise_distance(
    a: TensorLike, b: TensorLike, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False
) -> Tensor:
    """The p-norm of a - b + eps along the last axis.

    Args:
        a: (*, size), floats.
        b: A shape that broadcasts with a's.
        p: Of the norm, above 0; infinity for the largest difference.
        eps: Added to each difference.
        keepdim: Keep the last axis with length 1.

    Returns:
        The broadcast shape without its last axis.

    Raises:
        ShapeError: The shapes do not broadcast.
        ArgumentError: p is not above 0.

    Example:
        >>> a, b = lamina.tensor([[0.0, 0.0]]), lamina.tensor([[3.0, 4.0]])
        >>> ops.pairwise_distance(a, b, eps=0.0).tolist()
        [5.0]
    """
    return one("pairwise_distance", a, b, p=p, eps=eps, keepdim=keepdim)
