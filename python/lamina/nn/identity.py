"""A layer that does nothing."""

from __future__ import annotations

from lamina._lamina import Tensor
from lamina.nn.module import Module


class Identity(Module):
    """X as it is: holds the place of a layer.

    Example:
        >>> nn.Identity()(lamina.tensor([1.0])).tolist()
        [1.0]
    """

    def forward(self, x: Tensor) -> Tensor:
        """Any shape, the same out."""
        return x
