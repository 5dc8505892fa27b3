"""Fully connected layers."""

from __future__ import annotations

from lamina._lamina import DType, Tensor
from lamina.nn.init import kaiming_uniform
from lamina.nn.module import Module, Parameter
from lamina.ops import bilinear, linear


class Linear(Module):
    """X W^T + b, over the last axis.

    Args:
        in_features: Length of the last axis of the input.
        out_features: Length of the last axis of the output.
        bias: Whether b is there.
        dtype: float32 if None.
        device: The default device if None.

    Attributes:
        weight: (out_features, in_features).
        bias: (out_features,) or None.

    Example:
        >>> nn.Linear(3, 2)(lamina.tensor([[1.0, 2.0, 3.0]])).shape
        (1, 2)
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        dtype: DType | None = None,
        device: str | None = None,
    ) -> None:
        self.in_features = in_features
        self.out_features = out_features
        self.weight = Parameter(kaiming_uniform((out_features, in_features), in_features, dtype, device))
        self.bias = Parameter(kaiming_uniform((out_features,), in_features, dtype, device)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        """(*, in_features) to (*, out_features)."""
        return linear(x, self.weight, self.bias)

    def extra_repr(self) -> str:
        """Sizes."""
        return f"{self.in_features}, {self.out_features}, bias={self.bias is not None}"


class Bilinear(Module):
    """A W b^T + bias, with a matrix W for each output; see `lamina.ops.bilinear`.

    Args:
        in1_features: Length of the last axis of the first input.
        in2_features: Length of the last axis of the second input.
        out_features: Length of the last axis of the output.
        bias: Whether the bias is there.
        dtype: float32 if None.
        device: The default device if None.

    Attributes:
        weight: (out_features, in1_features, in2_features).
        bias: (out_features,) or None.

    Example:
        >>> nn.Bilinear(3, 2, 4)(ops.zeros((5, 3)), ops.zeros((5, 2))).shape
        (5, 4)
    """

    def __init__(
        self,
        in1_features: int,
        in2_features: int,
        out_features: int,
        bias: bool = True,
        dtype: DType | None = None,
        device: str | None = None,
    ) -> None:
        self.in1_features = in1_features
        self.in2_features = in2_features
        self.out_features = out_features
        shape = (out_features, in1_features, in2_features)
        self.weight = Parameter(kaiming_uniform(shape, in1_features, dtype, device))
        self.bias = Parameter(kaiming_uniform((out_features,), in1_features, dtype, device)) if bias else None

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """(*, in1_features) and (*, in2_features) to (*, out_features)."""
        return bilinear(a, b, self.weight, self.bias)

    def extra_repr(self) -> str:
        """Sizes."""
        sizes = f"{self.in1_features}, {self.in2_features}, {self.out_features}"
        return f"{sizes}, bias={self.bias is not None}"
