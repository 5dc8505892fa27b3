"""Axes made one, or one made several."""

from __future__ import annotations

from collections.abc import Sequence

from lamina import ops
from lamina._lamina import Tensor
from lamina.nn.formed import Formed
from lamina.nn.module import Module


class Flatten(Formed):
    """Axes start_dim to end_dim, both included, as one; see `lamina.ops.flatten`.

    Args:
        start_dim: First axis to merge; 1 keeps the batch.
        end_dim: Last axis to merge.

    Example:
        >>> nn.Flatten()(ops.zeros((2, 3, 4))).shape
        (2, 12)
    """

    _op = staticmethod(ops.flatten)

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        self.start_dim = start_dim
        self.end_dim = end_dim


class Unflatten(Module):
    """One axis as several; see `lamina.ops.unflatten`.

    Args:
        dim: The axis.
        unflattened_size: Lengths of the new axes; one of them may be -1.

    Example:
        >>> nn.Unflatten(1, (3, 4))(ops.zeros((2, 12))).shape
        (2, 3, 4)
    """

    def __init__(self, dim: int, unflattened_size: Sequence[int]) -> None:
        self.dim = dim
        self.unflattened_size = tuple(unflattened_size)

    def forward(self, x: Tensor) -> Tensor:
        """Any shape to more axes."""
        return ops.unflatten(x, self.dim, self.unflattened_size)

    def extra_repr(self) -> str:
        """The axis, and what it becomes."""
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"
