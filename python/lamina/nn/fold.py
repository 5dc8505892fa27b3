"""Windows as columns, and back."""

from __future__ import annotations

from lamina import ops
from lamina._lamina import Tensor
from lamina.nn.module import Module
from lamina.ops._window import Padding, Size


class Unfold(Module):
    """Windows of images as columns; see `lamina.ops.unfold`.

    Args:
        kernel_size: Size of the window.
        dilation: Distance between taps.
        padding: Zeros around.
        stride: Its step.

    Example:
        >>> nn.Unfold(2)(ops.zeros((1, 3, 4, 4))).shape
        (1, 12, 9)
    """

    def __init__(self, kernel_size: Size, dilation: Size = 1, padding: Padding = 0, stride: Size = 1) -> None:
        self.kernel_size = kernel_size
        self.dilation = dilation
        self.padding = padding
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, ...) to (batch, channels * taps, windows)."""
        return ops.unfold(x, self.kernel_size, self.dilation, self.padding, self.stride)

    def extra_repr(self) -> str:
        """Sizes."""
        return (
            f"kernel_size={self.kernel_size}, dilation={self.dilation}, padding={self.padding!r}, "
            f"stride={self.stride}"
        )


class Fold(Module):
    """Images from columns; see `lamina.ops.fold`.

    Args:
        output_size: Sizes of the images.
        kernel_size: Size of the window.
        dilation: Distance between taps.
        padding: Zeros around.
        stride: Its step.

    Example:
        >>> nn.Fold((4, 4), 2)(ops.zeros((1, 12, 9))).shape
        (1, 3, 4, 4)
    """

    def __init__(
        self,
        output_size: Size,
        kernel_size: Size,
        dilation: Size = 1,
        padding: Padding = 0,
        stride: Size = 1,
    ) -> None:
        self.output_size = output_size
        self.kernel_size = kernel_size
        self.dilation = dilation
        self.padding = padding
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels * taps, windows) to (batch, channels, *output_size)."""
        return ops.fold(x, self.output_size, self.kernel_size, self.dilation, self.padding, self.stride)

    def extra_repr(self) -> str:
        """Sizes."""
        return (
            f"output_size={self.output_size}, kernel_size={self.kernel_size}, dilation={self.dilation}, "
            f"padding={self.padding!r}, stride={self.stride}"
        )
