"""Max pooling over one, two and three axes, and its inverse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from lamina import ops
from lamina._lamina import Tensor
from lamina.nn.windowed import Windowed
from lamina.ops._window import Padding, Size


class _MaxPool(Windowed):
    _op_with_indices: ClassVar[Callable[..., tuple[Tensor, Tensor]]]

    def __init__(
        self,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Padding = 0,
        dilation: Size = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.dilation = dilation
        self.return_indices = return_indices
        self.ceil_mode = ceil_mode

    def forward(self, x: Tensor) -> Any:
        """(batch, channels, ...) to a tensor of as many axes, or two with `return_indices`."""
        op = type(self)._op_with_indices if self.return_indices else type(self)._op
        return op(x, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode)


class _MaxUnpool(Windowed):
    def __init__(self, kernel_size: Size, stride: Size | None = None, padding: Size = 0) -> None:
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding

    def forward(self, x: Tensor, indices: Tensor, output_size: Size | None = None) -> Tensor:
        """(batch, channels, ...) to what was pooled, zeros but at the indices."""
        y: Tensor = type(self)._op(x, indices, self.kernel_size, self.stride, self.padding, output_size)
        return y


class MaxPool1d(_MaxPool):
    """The largest value in each window; see `lamina.ops.max_pool1d`; arguments as of `MaxPool2d`.

    Example:
        >>> nn.MaxPool1d(2)(ops.zeros((1, 3, 6))).shape
        (1, 3, 3)
    """

    _op = staticmethod(ops.max_pool1d)
    _op_with_indices = staticmethod(ops.max_pool1d_with_indices)


class MaxPool2d(_MaxPool):
    """The largest value in each window; see `lamina.ops.max_pool2d`.

    Args:
        kernel_size: Size of the window.
        stride: Its step; kernel_size if None.
        padding: Counts as -infinity.
        dilation: Distance between taps.
        return_indices: Whether places are given too.
        ceil_mode: Round the output size up.

    Example:
        >>> nn.MaxPool2d(2)(ops.zeros((1, 3, 6, 6))).shape
        (1, 3, 3, 3)
    """

    _op = staticmethod(ops.max_pool2d)
    _op_with_indices = staticmethod(ops.max_pool2d_with_indices)


class MaxPool3d(_MaxPool):
    """The largest value in each window; see `lamina.ops.max_pool3d`; arguments as of `MaxPool2d`.

    Example:
        >>> nn.MaxPool3d(2)(ops.zeros((1, 3, 4, 6, 6))).shape
        (1, 3, 2, 3, 3)
    """

    _op = staticmethod(ops.max_pool3d)
    _op_with_indices = staticmethod(ops.max_pool3d_with_indices)


class MaxUnpool1d(_MaxUnpool):
    """The inverse of `MaxPool1d`; see `lamina.ops.max_unpool1d`.

    Args:
        kernel_size: Of the pooling.
        stride: Of the pooling; kernel_size if None.
        padding: Of the pooling.

    Example:
        >>> y, places = nn.MaxPool1d(2, return_indices=True)(ops.zeros((1, 3, 6)))
        >>> nn.MaxUnpool1d(2)(y, places).shape
        (1, 3, 6)
    """

    _op = staticmethod(ops.max_unpool1d)


class MaxUnpool2d(_MaxUnpool):
    """The inverse of `MaxPool2d`; see `lamina.ops.max_unpool2d`.

    Args:
        kernel_size: Of the pooling.
        stride: Of the pooling; kernel_size if None.
        padding: Of the pooling.

    Example:
        >>> y, places = nn.MaxPool2d(2, return_indices=True)(ops.zeros((1, 3, 6, 6)))
        >>> nn.MaxUnpool2d(2)(y, places).shape
        (1, 3, 6, 6)
    """

    _op = staticmethod(ops.max_unpool2d)


class MaxUnpool3d(_MaxUnpool):
    """The inverse of `MaxPool3d`; see `lamina.ops.max_unpool3d`.

    Args:
        kernel_size: Of the pooling.
        stride: Of the pooling; kernel_size if None.
        padding: Of the pooling.

    Example:
        >>> y, places = nn.MaxPool3d(2, return_indices=True)(ops.zeros((1, 3, 4, 6, 6)))
        >>> nn.MaxUnpool3d(2)(y, places).shape
        (1, 3, 4, 6, 6)
    """

    _op = staticmethod(ops.max_unpool3d)
