"""Two-dimensional convolutions."""

from __future__ import annotations

from lamina._lamina import Tensor
from lamina.ops._record import TensorLike, one
from lamina.ops._window import Padding, Pair, padding_of, pair


def conv2d(
    x: TensorLike,
    weight: TensorLike,
    bias: TensorLike | None = None,
    stride: Pair = 1,
    padding: Padding = 0,
    dilation: Pair = 1,
    groups: int = 1,
) -> Tensor:
    """Two-dimensional cross-correlation, as networks call convolution.

    out[n, o, y, x] = bias[o] + sum over c, i, j of
    weight[o, c, i, j] * x[n, c, y * stride - pad + i * dilation, ...].

    Args:
        x: (batch, in_channels, height, width).
        weight: (out_channels, in_channels / groups, kernel_height, kernel_width).
        bias: (out_channels,) or None.
        stride: Step of the window, one number or (vertical, horizontal).
        padding: Zeros around: a number, (vertical, horizontal), ((top, bottom), (left, right)),
            `valid` (none), `same` (output ceil(size / stride), the odd zero at the end) or
            `same_lower` (the odd zero at the start).
        dilation: Distance between taps.
        groups: Channels are split into so many independent convolutions.

    Returns:
        (batch, out_channels, out_height, out_width), where
        out = floor((size + pads - dilation * (kernel - 1) - 1) / stride) + 1.

    Raises:
        ShapeError: Channels do not fit, or the window is larger than the padded input.

    Example:
        >>> x = lamina.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
        >>> ops.conv2d(x, lamina.tensor([[[[1.0, 1.0]]]])).tolist()
        [[[[3.0], [7.0]]]]
    """
    inputs = [x, weight] if bias is None else [x, weight, bias]
    return one(
        "conv2d",
        *inputs,
        stride=pair(stride),
        padding=padding_of(padding),
        dilation=pair(dilation),
        groups=groups,
    )


def conv_transpose2d(
    x: TensorLike,
    weight: TensorLike,
    bias: TensorLike | None = None,
    stride: Pair = 1,
    padding: Padding = 0,
    output_padding: Pair = 0,
    groups: int = 1,
    dilation: Pair = 1,
) -> Tensor:
    """Two-dimensional transposed convolution: what `conv2d` sends back to its input.

    out[n, o, y * stride - pad + i * dilation, ...] is bias[o] + the sum over c, y, x of
    weight[c, o, i, j] * x[n, c, y, x].

    Args:
        x: (batch, in_channels, height, width).
        weight: (in_channels, out_channels / groups, kernel_height, kernel_width).
        bias: (out_channels,) or None.
        stride: Distance between the places of neighbours, one number or (vertical, horizontal).
        padding: What is cut off the borders: a number, (vertical, horizontal) or
            ((top, bottom), (left, right)).
        output_padding: Rows and columns more at the end, fewer than the stride or the dilation.
        groups: Channels are split into so many independent convolutions.
        dilation: Distance between taps.

    Returns:
        (batch, out_channels, out_height, out_width), where
        out = (size - 1) * stride - pads + dilation * (kernel - 1) + 1 + output_padding.

    Raises:
        ShapeError: Channels do not fit, or the padding leaves nothing.
        ArgumentError: The output padding is too large.

    Example:
        >>> x = lamina.tensor([[[[1.0, 2.0]]]])
        >>> ops.conv_transpose2d(x, lamina.tensor([[[[1.0, 10.0]]]]), stride=2).tolist()
        [[[[1.0, 10.0, 2.0, 20.0]]]]
    """
    inputs = [x, weight] if bias is None else [x, weight, bias]
    return one(
        "conv_transpose2d",
        *inputs,
        stride=pair(stride),
        padding=padding_of(padding),
        output_padding=pair(output_padding),
        dilation=pair(dilation),
        groups=groups,
    )
