"""Flatten layer."""

from __future__ import annotations

from lamina._lamina import Tensor
from lamina.nn.module import Module
from lamina.ops import flatten


class Flatten(Module):
    """Axes start_dim to end_dim, both included, as one.

    Args:
        start_dim: First axis to merge; 1 keeps the batch.
        end_dim: Last axis to merge.

    Example:
        >>> nn.Flatten()(ops.zeros((2, 3, 4))).shape
        (2, 12)
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        self.start_dim = start_dim
        self.end_dim = end_dim

    def forward(self, x: Tensor) -> Tensor:
        """Any shape to fewer axes."""
        return flatten(x, self.start_dim, self.end_dim)

    def extra_repr(self) -> str:
        """The axes."""
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"
