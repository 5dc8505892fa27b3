"""Dropout layer."""

from __future__ import annotations

from lamina._lamina import ArgumentError, Tensor
from lamina.nn.module import Module
from lamina.ops import dropout


class Dropout(Module):
    """In training, 0 with probability p, else x / (1 - p); in evaluation, x.

    Args:
        p: Probability, 0 <= p < 1.

    Raises:
        ArgumentError: p is out of range.

    Example:
        >>> nn.Dropout(0.5).eval()(lamina.tensor([1.0])).tolist()
        [1.0]
    """

    def __init__(self, p: float = 0.5) -> None:
        if not 0.0 <= p < 1.0:
            raise ArgumentError(f"Dropout: p={p} is not in [0, 1)")
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        """Any shape, the same out."""
        return dropout(x, self.p) if self.training and self.p > 0.0 else x

    def extra_repr(self) -> str:
        """The probability."""
        return f"p={self.p}"
