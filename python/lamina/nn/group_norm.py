"""Group normalisation, and that over neighbouring channels."""

from __future__ import annotations

from lamina import ops
from lamina._lamina import ArgumentError, DType, Tensor
from lamina.nn.formed import Formed
from lamina.nn.module import Module, Parameter


class GroupNorm(Module):
    """(x - mean) / sqrt(var + eps) * weight + bias, each group of channels by itself.

    See `lamina.ops.group_norm`.

    Args:
        num_groups: Into how many groups of neighbours the channels are divided.
        num_channels: Channels.
        eps: Added to the variance.
        affine: Whether weight and bias are there.
        dtype: float32 if None.
        device: The default device if None.

    Attributes:
        weight: (num_channels,), first 1; or None.
        bias: (num_channels,), first 0; or None.

    Raises:
        ArgumentError: The channels do not divide into that many groups.

    Example:
        >>> nn.GroupNorm(2, 6)(ops.zeros((1, 6, 3, 3))).shape
        (1, 6, 3, 3)
    """

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        dtype: DType | None = None,
        device: str | None = None,
    ) -> None:
        if num_groups < 1 or num_channels % num_groups:
            raise ArgumentError(f"GroupNorm: num_groups={num_groups} must divide num_channels={num_channels}")
        self.num_groups = num_groups
        self.num_channels = num_channels
        self.eps = eps
        self.affine = affine
        row = (num_channels,)
        self.weight = Parameter(ops.ones(row, dtype, device)) if affine else None
        self.bias = Parameter(ops.zeros(row, dtype, device)) if affine else None

    def forward(self, x: Tensor) -> Tensor:
        """(batch, num_channels, *), the same out."""
        return ops.group_norm(x, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """Sizes."""
        return f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}"


class LocalResponseNorm(Formed):
    """X / (k + alpha * mean)^beta, with the mean of squares over neighbouring channels.

    See `lamina.ops.local_response_norm`.

    Args:
        size: How many channels a window has.
        alpha: What the mean is multiplied by.
        beta: The exponent.
        k: Added to it.

    Example:
        >>> nn.LocalResponseNorm(3)(ops.zeros((1, 6, 3, 3))).shape
        (1, 6, 3, 3)
    """

    _op = staticmethod(ops.local_response_norm)

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        self.size = size
        self.alpha = alpha
        self.beta = beta
        self.k = k
