"""Two-dimensional transposed convolution layer."""

from __future__ import annotations

from lamina._lamina import ArgumentError, DType, Tensor
from lamina.nn.init import kaiming_uniform
from lamina.nn.module import Module, Parameter
from lamina.ops import conv_transpose2d
from lamina.ops._window import Padding, Pair, pair


class ConvTranspose2d(Module):
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
        >>> nn.ConvTranspose2d(3, 8, 2, stride=2)(ops.zeros((1, 3, 5, 5))).shape
        (1, 8, 10, 10)
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Pair,
        stride: Pair = 1,
        padding: Padding = 0,
        output_padding: Pair = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Pair = 1,
        dtype: DType | None = None,
        device: str | None = None,
    ) -> None:
        if groups < 1 or in_channels % groups or out_channels % groups:
            raise ArgumentError(
                f"ConvTranspose2d: groups={groups} must divide in_channels={in_channels} "
                f"and out_channels={out_channels}"
            )
        kernel = pair(kernel_size)
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = kernel_size
        self.stride = stride
        self.padding = padding
        self.output_padding = output_padding
        self.groups = groups
        self.dilation = dilation
        fan_in = out_channels // groups * kernel[0] * kernel[1]
        shape = (in_channels, out_channels // groups, *kernel)
        self.weight = Parameter(kaiming_uniform(shape, fan_in, dtype, device))
        self.bias = Parameter(kaiming_uniform((out_channels,), fan_in, dtype, device)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        """(batch, in_channels, height, width) to (batch, out_channels, out_height, out_width)."""
        return conv_transpose2d(
            x,
            self.weight,
            self.bias,
            self.stride,
            self.padding,
            self.output_padding,
            self.groups,
            self.dilation,
        )

    def extra_repr(self) -> str:
        """Sizes and what is not default."""
        text = (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        )
        defaults = {"padding": 0, "output_padding": 0, "groups": 1, "dilation": 1}
        for name, default in defaults.items():
            if getattr(self, name) != default:
                text += f", {name}={getattr(self, name)!r}"
        return text if self.bias is not None else text + ", bias=False"
