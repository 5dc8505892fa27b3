"""Activations as layers."""

from __future__ import annotations

from lamina._lamina import Tensor
from lamina.nn.module import Module
from lamina.ops import leaky_relu, relu, sigmoid, softmax, tanh


class ReLU(Module):
    """max(x, 0).

    Example:
        >>> nn.ReLU()(lamina.tensor([-1.0, 2.0])).tolist()
        [0.0, 2.0]
    """

    def forward(self, x: Tensor) -> Tensor:
        """Any shape, the same out."""
        return relu(x)


class LeakyReLU(Module):
    """x where x > 0, else negative_slope * x.

    Args:
        negative_slope: Slope below 0.

    Example:
        >>> nn.LeakyReLU(0.5)(lamina.tensor([-1.0, 2.0])).tolist()
        [-0.5, 2.0]
    """

    def __init__(self, negative_slope: float = 0.01) -> None:
        self.negative_slope = negative_slope

    def forward(self, x: Tensor) -> Tensor:
        """Any shape, the same out."""
        return leaky_relu(x, self.negative_slope)

    def extra_repr(self) -> str:
        """The slope."""
        return f"negative_slope={self.negative_slope}"


class Sigmoid(Module):
    """1 / (1 + e^-x).

    Example:
        >>> nn.Sigmoid()(lamina.tensor([0.0])).tolist()
        [0.5]
    """

    def forward(self, x: Tensor) -> Tensor:
        """Any shape, the same out."""
        return sigmoid(x)


class Tanh(Module):
    """The hyperbolic tangent.

    Example:
        >>> nn.Tanh()(lamina.tensor([0.0])).tolist()
        [0.0]
    """

    def forward(self, x: Tensor) -> Tensor:
        """Any shape, the same out."""
        return tanh(x)


class Softmax(Module):
    """e^x / sum e^x along an axis.

    Args:
        dim: The axis.

    Example:
        >>> nn.Softmax()(lamina.tensor([1.0, 1.0])).tolist()
        [0.5, 0.5]
    """

    def __init__(self, dim: int = -1) -> None:
        self.dim = dim

    def forward(self, x: Tensor) -> Tensor:
        """Any shape, the same out."""
        return softmax(x, self.dim)

    def extra_repr(self) -> str:
        """The axis."""
        return f"dim={self.dim}"
