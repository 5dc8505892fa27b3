"""Layer and RMS normalisation."""

from __future__ import annotations

from collections.abc import Sequence

from lamina._lamina import DType, Tensor
from lamina.nn.module import Module, Parameter
from lamina.ops import layer_norm, ones, rms_norm, zeros


class LayerNorm(Module):
    """(x - mean) / sqrt(var + eps) * weight + bias, each row by its own mean and biased variance.

    Args:
        normalized_shape: Lengths of the last axes, which make a row; a number for the last alone.
        eps: Added to the variance.
        elementwise_affine: Whether weight is there.
        bias: Whether bias is there too.
        dtype: float32 if None.
        device: The default device if None.

    Attributes:
        weight: normalized_shape, first 1; or None.
        bias: normalized_shape, first 0; or None.

    Example:
        >>> nn.LayerNorm(2, eps=0.0)(lamina.tensor([[1.0, 3.0]])).tolist()
        [[-1.0, 1.0]]
    """

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        dtype: DType | None = None,
        device: str | None = None,
    ) -> None:
        shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
        self.normalized_shape = shape
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        self.weight = Parameter(ones(shape, dtype, device)) if elementwise_affine else None
        self.bias = Parameter(zeros(shape, dtype, device)) if elementwise_affine and bias else None

    def forward(self, x: Tensor) -> Tensor:
        """(*, normalized_shape), the same out."""
        return layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """Sizes."""
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"


class RMSNorm(Module):
    """X / sqrt(mean(x^2) + eps) * weight, each row by itself; see `lamina.ops.rms_norm`.

    Args:
        normalized_shape: Lengths of the last axes, which make a row; a number for the last alone.
        eps: Added to the mean; the distance from 1 to the next number of x's dtype if None.
        elementwise_affine: Whether weight is there.
        dtype: float32 if None.
        device: The default device if None.

    Attributes:
        weight: normalized_shape, first 1; or None.

    Example:
        >>> nn.RMSNorm(2, eps=0.0)(lamina.tensor([[3.0, 3.0]])).tolist()
        [[1.0, 1.0]]
    """

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float | None = None,
        elementwise_affine: bool = True,
        dtype: DType | None = None,
        device: str | None = None,
    ) -> None:
        shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
        self.normalized_shape = shape
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        self.weight = Parameter(ones(shape, dtype, device)) if elementwise_affine else None

    def forward(self, x: Tensor) -> Tensor:
        """(*, normalized_shape), the same out."""
        return rms_norm(x, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        """Sizes."""
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"
