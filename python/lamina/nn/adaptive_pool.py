"""Pooling to a size that is asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from lamina import ops
from lamina._lamina import Tensor
from lamina.nn.windowed import Windowed
from lamina.ops.adaptive_pool import OutputSize


class _AdaptiveAvgPool(Windowed):
    _shown = ("output_size",)

    def __init__(self, output_size: OutputSize) -> None:
        self.output_size = output_size

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, ...) to (batch, channels, *output_size)."""
        y: Tensor = type(self)._op(x, self.output_size)
        return y


class _AdaptiveMaxPool(Windowed):
    _op_with_indices: ClassVar[Callable[..., tuple[Tensor, Tensor]]]
    _shown = ("output_size",)

    def __init__(self, output_size: OutputSize, return_indices: bool = False) -> None:
        self.output_size = output_size
        self.return_indices = return_indices

    def forward(self, x: Tensor) -> Any:
        """(batch, channels, ...) to (batch, channels, *output_size), or two of them with `return_indices`."""
        op = type(self)._op_with_indices if self.return_indices else type(self)._op
        return op(x, self.output_size)


class AdaptiveAvgPool1d(_AdaptiveAvgPool):
    """Means, as many as asked for; see `lamina.ops.adaptive_avg_pool1d`.

    Args:
        output_size: One number or one for each axis; None leaves an axis as it is.

    Example:
        >>> nn.AdaptiveAvgPool1d(5)(ops.zeros((1, 3, 6))).shape
        (1, 3, 5)
    """

    _op = staticmethod(ops.adaptive_avg_pool1d)


class AdaptiveAvgPool2d(_AdaptiveAvgPool):
    """Means, as many as asked for; see `lamina.ops.adaptive_avg_pool2d`.

    Args:
        output_size: One number or one for each axis; None leaves an axis as it is.

    Example:
        >>> nn.AdaptiveAvgPool2d(5)(ops.zeros((1, 3, 6, 6))).shape
        (1, 3, 5, 5)
    """

    _op = staticmethod(ops.adaptive_avg_pool2d)


class AdaptiveAvgPool3d(_AdaptiveAvgPool):
    """Means, as many as asked for; see `lamina.ops.adaptive_avg_pool3d`.

    Args:
        output_size: One number or one for each axis; None leaves an axis as it is.

    Example:
        >>> nn.AdaptiveAvgPool3d(5)(ops.zeros((1, 3, 6, 6, 6))).shape
        (1, 3, 5, 5, 5)
    """

    _op = staticmethod(ops.adaptive_avg_pool3d)


class AdaptiveMaxPool1d(_AdaptiveMaxPool):
    """Largest values, as many as asked for; see `lamina.ops.adaptive_max_pool1d`.

    Args:
        output_size: One number or one for each axis; None leaves an axis as it is.
        return_indices: Whether places are given too.

    Example:
        >>> nn.AdaptiveMaxPool1d(5)(ops.zeros((1, 3, 6))).shape
        (1, 3, 5)
    """

    _op = staticmethod(ops.adaptive_max_pool1d)
    _op_with_indices = staticmethod(ops.adaptive_max_pool1d_with_indices)


class AdaptiveMaxPool2d(_AdaptiveMaxPool):
    """Largest values, as many as asked for; see `lamina.ops.adaptive_max_pool2d`.

    Args:
        output_size: One number or one for each axis; None leaves an axis as it is.
        return_indices: Whether places are given too.

    Example:
        >>> nn.AdaptiveMaxPool2d(5)(ops.zeros((1, 3, 6, 6))).shape
        (1, 3, 5, 5)
    """

    _op = staticmethod(ops.adaptive_max_pool2d)
    _op_with_indices = staticmethod(ops.adaptive_max_pool2d_with_indices)


class AdaptiveMaxPool3d(_AdaptiveMaxPool):
    """Largest values, as many as asked for; see `lamina.ops.adaptive_max_pool3d`.

    Args:
        output_size: One number or one for each axis; None leaves an axis as it is.
        return_indices: Whether places are given too.

    Example:
        >>> nn.AdaptiveMaxPool3d(5)(ops.zeros((1, 3, 6, 6, 6))).shape
        (1, 3, 5, 5, 5)
    """

    _op = staticmethod(ops.adaptive_max_pool3d)
    _op_with_indices = staticmethod(ops.adaptive_max_pool3d_with_indices)
