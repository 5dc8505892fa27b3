"""Activations as layers."""

from __future__ import annotations

from typing import Literal

from lamina._lamina import Tensor
from lamina.nn.module import Module
from lamina.ops import clip, gelu, hardswish, leaky_relu, relu, sigmoid, silu, softmax, tanh


class ReLU(Module):
    """max(x, 0).

    Example:
        >>> nn.ReLU()(lamina.tensor([-1.0, 2.0])).tolist()
        [0.0, 2.0]
    """

    def forward(self, x: Tensor) -> Tensor:
        """Any shape, the same out."""
        return relu(x)


class ReLU6(Module):
    """min(max(x, 0), 6).

    Example:
        >>> nn.ReLU6()(lamina.tensor([-1.0, 2.0, 8.0])).tolist()
        [0.0, 2.0, 6.0]
    """

    def forward(self, x: Tensor) -> Tensor:
        """Any shape, the same out."""
        return clip(x, 0.0, 6.0)


class GELU(Module):
    """x / 2 * (1 + erf(x / sqrt(2))), or its approximation by tanh.

    Args:
        approximate: `none` or `tanh`.

    Example:
        >>> nn.GELU()(lamina.tensor([0.0, 10.0])).tolist()
        [0.0, 10.0]
    """

    def __init__(self, approximate: Literal["none", "tanh"] = "none") -> None:
        self.approximate: Literal["none", "tanh"] = approximate

    def forward(self, x: Tensor) -> Tensor:
        """Any shape, the same out."""
        return gelu(x, self.approximate)

    def extra_repr(self) -> str:
        """Which of the two."""
        return f"approximate={self.approximate!r}"


class SiLU(Module):
    """X * sigmoid(x).

    Example:
        >>> nn.SiLU()(lamina.tensor([0.0])).tolist()
        [0.0]
    """

    def forward(self, x: Tensor) -> Tensor:
        """Any shape, the same out."""
        return silu(x)


class Hardswish(Module):
    """X * clip(x / 6 + 1 / 2, 0, 1).

    Example:
        >>> nn.Hardswish()(lamina.tensor([0.0, 4.0])).tolist()
        [0.0, 4.0]
    """

    def forward(self, x: Tensor) -> Tensor:
        """Any shape, the same out."""
        return hardswish(x)


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
