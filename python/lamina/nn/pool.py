"""Pooling layers over one, two and three axes, and windows as columns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from lamina import ops
from lamina._lamina import Tensor
from lamina.nn.module import Module
from lamina.ops._window import Padding, Size
from lamina.ops.adaptive_pool import OutputSize


class _Windowed(Module):
    """A layer without parameters; it says which op it is."""

    _op: ClassVar[Callable[..., Any]]

    def extra_repr(self) -> str:
        """Everything it was made with."""
        return ", ".join(f"{name}={value!r}" for name, value in vars(self).items() if name in self._shown)

    _shown: ClassVar[tuple[str, ...]] = ("kernel_size", "stride", "padding")


class _MaxPool(_Windowed):
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


class _MaxUnpool(_Windowed):
    def __init__(self, kernel_size: Size, stride: Size | None = None, padding: Size = 0) -> None:
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding

    def forward(self, x: Tensor, indices: Tensor, output_size: Size | None = None) -> Tensor:
        """(batch, channels, ...) to what was pooled, zeros but at the indices."""
        y: Tensor = type(self)._op(x, indices, self.kernel_size, self.stride, self.padding, output_size)
        return y


class _AvgPool(_Windowed):
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


class _LPPool(_Windowed):
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


class _AdaptiveAvgPool(_Windowed):
    _shown = ("output_size",)

    def __init__(self, output_size: OutputSize) -> None:
        self.output_size = output_size

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, ...) to (batch, channels, *output_size)."""
        y: Tensor = type(self)._op(x, self.output_size)
        return y


class _AdaptiveMaxPool(_Windowed):
    _op_with_indices: ClassVar[Callable[..., tuple[Tensor, Tensor]]]
    _shown = ("output_size",)

    def __init__(self, output_size: OutputSize, return_indices: bool = False) -> None:
        self.output_size = output_size
        self.return_indices = return_indices

    def forward(self, x: Tensor) -> Any:
        """(batch, channels, ...) to (batch, channels, *output_size), or two of them with `return_indices`."""
        op = type(self)._op_with_indices if self.return_indices else type(self)._op
        return op(x, self.output_size)


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
