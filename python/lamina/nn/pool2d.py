"""Pooling layers."""

from __future__ import annotations

from lamina._lamina import ArgumentError, Tensor
from lamina.nn.module import Module
from lamina.ops import avg_pool2d, global_avg_pool2d, global_max_pool2d, max_pool2d
from lamina.ops._window import Padding, Pair


class MaxPool2d(Module):
    """The largest value in each window; see `lamina.ops.max_pool2d`.

    Args:
        kernel_size: Size of the window.
        stride: Its step; kernel_size if None.
        padding: Counts as -infinity.
        dilation: Distance between taps.
        ceil_mode: Round the output size up.

    Example:
        >>> nn.MaxPool2d(2)(ops.zeros((1, 3, 6, 6))).shape
        (1, 3, 3, 3)
    """

    def __init__(
        self,
        kernel_size: Pair,
        stride: Pair | None = None,
        padding: Padding = 0,
        dilation: Pair = 1,
        ceil_mode: bool = False,
    ) -> None:
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.dilation = dilation
        self.ceil_mode = ceil_mode

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, height, width) to (batch, channels, out_height, out_width)."""
        return max_pool2d(x, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode)

    def extra_repr(self) -> str:
        """Sizes."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding!r}"


class AvgPool2d(Module):
    """The mean of each window; see `lamina.ops.avg_pool2d`.

    Args:
        kernel_size: Size of the window.
        stride: Its step; kernel_size if None.
        padding: Zeros around.
        ceil_mode: Round the output size up.
        count_include_pad: Whether padding counts in the divisor.

    Example:
        >>> nn.AvgPool2d(2)(ops.zeros((1, 3, 6, 6))).shape
        (1, 3, 3, 3)
    """

    def __init__(
        self,
        kernel_size: Pair,
        stride: Pair | None = None,
        padding: Padding = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, height, width) to (batch, channels, out_height, out_width)."""
        return avg_pool2d(
            x, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad
        )

    def extra_repr(self) -> str:
        """Sizes."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding!r}"


class GlobalAvgPool2d(Module):
    """The mean of each channel, (batch, channels, 1, 1).

    Example:
        >>> nn.GlobalAvgPool2d()(ops.zeros((1, 3, 6, 6))).shape
        (1, 3, 1, 1)
    """

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, height, width) to (batch, channels, 1, 1)."""
        return global_avg_pool2d(x)


class GlobalMaxPool2d(Module):
    """The largest value of each channel, (batch, channels, 1, 1).

    Example:
        >>> nn.GlobalMaxPool2d()(ops.zeros((1, 3, 6, 6))).shape
        (1, 3, 1, 1)
    """

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, height, width) to (batch, channels, 1, 1)."""
        return global_max_pool2d(x)


class AdaptiveAvgPool2d(GlobalAvgPool2d):
    """PyTorch's name for the global mean: an output of 1 x 1.

    Args:
        output_size: 1 or (1, 1).

    Raises:
        ArgumentError: Another output size.

    Example:
        >>> nn.AdaptiveAvgPool2d(1)(ops.zeros((1, 3, 6, 6))).shape
        (1, 3, 1, 1)
    """

    def __init__(self, output_size: Pair = 1) -> None:
        if output_size not in (1, (1, 1)):
            raise ArgumentError(
                f"AdaptiveAvgPool2d: output_size={output_size!r} is not 1: other sizes are an AvgPool2d "
                "with the window worked out from the input"
            )
