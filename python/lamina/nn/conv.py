"""Convolution layers, transposed ones too, over one, two and three axes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import ClassVar

from lamina import ops
from lamina._lamina import ArgumentError, DType, Tensor
from lamina.nn.init import kaiming_uniform
from lamina.nn.module import Module, Parameter
from lamina.ops._window import Padding, Size, each


class _Convolution(Module):
    """Of either direction and any number of axes; a layer says which op it is."""

    _op: ClassVar[Callable[..., Tensor]]
    _axes: ClassVar[int]

    def __init__(self, in_channels: int, out_channels: int, kernel_size: Size, groups: int) -> None:
        if groups < 1 or in_channels % groups or out_channels % groups:
            raise ArgumentError(
                f"{type(self).__name__}: groups={groups} must divide in_channels={in_channels} "
                f"and out_channels={out_channels}"
            )
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = kernel_size
        self.groups = groups

    def _parameters_of(
        self, first: int, second: int, bias: bool, dtype: DType | None, device: str | None
    ) -> None:
        """The weight (first, second, kernel), as PyTorch begins with it."""
        kernel = each(self.kernel_size, self._axes)
        fan_in = second * math.prod(kernel)
        self.weight = Parameter(kaiming_uniform((first, second, *kernel), fan_in, dtype, device))
        row = kaiming_uniform((self.out_channels,), fan_in, dtype, device) if bias else None
        self.bias = None if row is None else Parameter(row)

    def extra_repr(self) -> str:
        """Sizes and what is not default."""
        given = vars(self)
        text = (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, "
            f"stride={given['stride']}"
        )
        defaults = {"padding": 0, "output_padding": 0, "dilation": 1, "groups": 1}
        for name, default in defaults.items():
            if given.get(name, default) != default:
                text += f", {name}={given[name]!r}"
        return text if self.bias is not None else text + ", bias=False"


class _Conv(_Convolution):
    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Padding = 0,
        dilation: Size = 1,
        groups: int = 1,
        bias: bool = True,
        dtype: DType | None = None,
        device: str | None = None,
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, groups)
        self.stride = stride
        self.padding = padding
        self.dilation = dilation
        self._parameters_of(out_channels, in_channels // groups, bias, dtype, device)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, in_channels, ...) to (batch, out_channels, ...)."""
        form = (self.stride, self.padding, self.dilation, self.groups)
        return type(self)._op(x, self.weight, self.bias, *form)


class _ConvTranspose(_Convolution):
    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Padding = 0,
        output_padding: Size = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Size = 1,
        dtype: DType | None = None,
        device: str | None = None,
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, groups)
        self.stride = stride
        self.padding = padding
        self.output_padding = output_padding
        self.dilation = dilation
        self._parameters_of(in_channels, out_channels // groups, bias, dtype, device)

    def forward(self, x: Tensor, output_size: Size | None = None) -> Tensor:
        """(batch, in_channels, ...) to (batch, out_channels, ...), of `output_size` if given."""
        more = self.output_padding if output_size is None else 0
        form = (self.stride, self.padding, more, self.groups, self.dilation, output_size)
        return type(self)._op(x, self.weight, self.bias, *form)


class Conv1d(_Conv):
    """See `lamina.ops.conv1d`; arguments as of `Conv2d`.

    Attributes:
        weight: (out_channels, in_channels / groups, kernel_length).
        bias: (out_channels,) or None.

    Example:
        >>> nn.Conv1d(3, 8, 3, padding="same")(ops.zeros((1, 3, 5))).shape
        (1, 8, 5)
    """

    _op = staticmethod(ops.conv1d)
    _axes = 1


class Conv2d(_Conv):
    """See `lamina.ops.conv2d`.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size: Size of the window.
        stride: Its step.
        padding: Zeros around, or `valid`, `same`, `same_lower`.
        dilation: Distance between taps.
        groups: Independent convolutions side by side.
        bias: Whether a bias is added.
        dtype: float32 if None.
        device: The default device if None.

    Attributes:
        weight: (out_channels, in_channels / groups, kernel_height, kernel_width).
        bias: (out_channels,) or None.

    Raises:
        ArgumentError: Channels cannot be split into that many groups.

    Example:
        >>> nn.Conv2d(3, 8, 3, padding="same")(ops.zeros((1, 3, 5, 5))).shape
        (1, 8, 5, 5)
    """

    _op = staticmethod(ops.conv2d)
    _axes = 2


class Conv3d(_Conv):
    """See `lamina.ops.conv3d`; arguments as of `Conv2d`.

    Attributes:
        weight: (out_channels, in_channels / groups, kernel_depth, kernel_height, kernel_width).
        bias: (out_channels,) or None.

    Example:
        >>> nn.Conv3d(3, 8, 3, padding="same")(ops.zeros((1, 3, 4, 5, 5))).shape
        (1, 8, 4, 5, 5)
    """

    _op = staticmethod(ops.conv3d)
    _axes = 3


class ConvTranspose1d(_ConvTranspose):
    """See `lamina.ops.conv_transpose1d`; arguments as of `ConvTranspose2d`.

    Attributes:
        weight: (in_channels, out_channels / groups, kernel_length).
        bias: (out_channels,) or None.

    Example:
        >>> nn.ConvTranspose1d(3, 8, 2, stride=2)(ops.zeros((1, 3, 5))).shape
        (1, 8, 10)
    """

    _op = staticmethod(ops.conv_transpose1d)
    _axes = 1


class ConvTranspose2d(_ConvTranspose):
    """See `lamina.ops.conv_transpose2d`.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size: Size of the window.
        stride: Distance between the places of neighbours.
        padding: What is cut off the borders.
        output_padding: Rows and columns more at the end.
        groups: Independent convolutions side by side.
        bias: Whether a bias is added.
        dilation: Distance between taps.
        dtype: float32 if None.
        device: The default device if None.

    Attributes:
        weight: (in_channels, out_channels / groups, kernel_height, kernel_width).
        bias: (out_channels,) or None.

    Raises:
        ArgumentError: Channels cannot be split into that many groups.

    Example:
        >>> layer = nn.ConvTranspose2d(3, 8, 2, stride=2)
        >>> layer(ops.zeros((1, 3, 5, 5))).shape
        (1, 8, 10, 10)
        >>> layer(ops.zeros((1, 3, 5, 5)), output_size=11).shape
        (1, 8, 11, 11)
    """

    _op = staticmethod(ops.conv_transpose2d)
    _axes = 2


class ConvTranspose3d(_ConvTranspose):
    """See `lamina.ops.conv_transpose3d`; arguments as of `ConvTranspose2d`.

    Attributes:
        weight: (in_channels, out_channels / groups, kernel_depth, kernel_height, kernel_width).
        bias: (out_channels,) or None.

    Example:
        >>> nn.ConvTranspose3d(3, 8, 2, stride=2)(ops.zeros((1, 3, 4, 5, 5))).shape
        (1, 8, 8, 10, 10)
    """

    _op = staticmethod(ops.conv_transpose3d)
    _axes = 3
