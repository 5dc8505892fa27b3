"""Pooling by means and norms over one, two and three axes, and over whole images."""

from __future__ import annotations

from lamina import ops
from lamina._lamina import Tensor
from lamina.nn.module import Module
from lamina.nn.windowed import Windowed
from lamina.ops._window import Padding, Size


class _AvgPool(Windowed):
    def __init__(
        self,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Padding = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: float | None = None,
    ) -> None:
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad
        self.divisor_override = divisor_override

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, ...) to a tensor of as many axes."""
        form = (self.ceil_mode, self.count_include_pad, self.divisor_override)
        y: Tensor = type(self)._op(x, self.kernel_size, self.stride, self.padding, *form)
        return y


class _LPPool(Windowed):
    _shown = ("norm_type", "kernel_size", "stride")

    def __init__(
        self,
        norm_type: float,
        kernel_size: Size,
        stride: Size | None = None,
        ceil_mode: bool = False,
    ) -> None:
        self.norm_type = norm_type
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.ceil_mode = ceil_mode

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, ...) to a tensor of as many axes."""
        y: Tensor = type(self)._op(x, self.norm_type, self.kernel_size, self.stride, self.ceil_mode)
        return y


class AvgPool1d(_AvgPool):
    """The mean of each window; see `lamina.ops.avg_pool1d`; arguments as of `AvgPool2d`.

    Example:
        >>> nn.AvgPool1d(2)(ops.zeros((1, 3, 6))).shape
        (1, 3, 3)
    """

    _op = staticmethod(ops.avg_pool1d)


class AvgPool2d(_AvgPool):
    """The mean of each window; see `lamina.ops.avg_pool2d`.

    Args:
        kernel_size: Size of the window.
        stride: Its step; kernel_size if None.
        padding: Zeros around.
        ceil_mode: Round the output size up.
        count_include_pad: Whether padding counts in the divisor.
        divisor_override: The divisor itself.

    Example:
        >>> nn.AvgPool2d(2)(ops.zeros((1, 3, 6, 6))).shape
        (1, 3, 3, 3)
    """

    _op = staticmethod(ops.avg_pool2d)


class AvgPool3d(_AvgPool):
    """The mean of each window; see `lamina.ops.avg_pool3d`; arguments as of `AvgPool2d`.

    Example:
        >>> nn.AvgPool3d(2)(ops.zeros((1, 3, 4, 6, 6))).shape
        (1, 3, 2, 3, 3)
    """

    _op = staticmethod(ops.avg_pool3d)


class LPPool1d(_LPPool):
    """The norm of each window; see `lamina.ops.lp_pool1d`; arguments as of `LPPool2d`.

    Example:
        >>> nn.LPPool1d(2, 2)(ops.zeros((1, 3, 6))).shape
        (1, 3, 3)
    """

    _op = staticmethod(ops.lp_pool1d)


class LPPool2d(_LPPool):
    """The norm of each window; see `lamina.ops.lp_pool2d`.

    Args:
        norm_type: p, above 0.
        kernel_size: Size of the window.
        stride: Its step; kernel_size if None.
        ceil_mode: Round the output size up.

    Example:
        >>> nn.LPPool2d(2, 2)(ops.zeros((1, 3, 6, 6))).shape
        (1, 3, 3, 3)
    """

    _op = staticmethod(ops.lp_pool2d)


class LPPool3d(_LPPool):
    """The norm of each window; see `lamina.ops.lp_pool3d`; arguments as of `LPPool2d`.

    Example:
        >>> nn.LPPool3d(2, 2)(ops.zeros((1, 3, 4, 6, 6))).shape
        (1, 3, 2, 3, 3)
    """

    _op = staticmethod(ops.lp_pool3d)


class GlobalAvgPool2d(Module):
    """The mean of each channel, (batch, channels, 1, 1).

    Example:
        >>> nn.GlobalAvgPool2d()(ops.zeros((1, 3, 6, 6))).shape
        (1, 3, 1, 1)
    """

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, height, width) to (batch, channels, 1, 1)."""
        return ops.global_avg_pool2d(x)


class GlobalMaxPool2d(Module):
    """The largest value of each channel, (batch, channels, 1, 1).

    Example:
        >>> nn.GlobalMaxPool2d()(ops.zeros((1, 3, 6, 6))).shape
        (1, 3, 1, 1)
    """

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, height, width) to (batch, channels, 1, 1)."""
        return ops.global_max_pool2d(x)
