"""Convolutions over one, two and three axes."""

from __future__ import annotations

from lamina._lamina import Tensor
from lamina.ops._record import TensorLike, one
from lamina.ops._window import Padding, Size, padding_of, size_of


def _conv(
    name: str,
    x: TensorLike,
    weight: TensorLike,
    bias: TensorLike | None,
    stride: Size,
    padding: Padding,
    dilation: Size,
    groups: int,
) -> Tensor:
    inputs = [x, weight] if bias is None else [x, weight, bias]
    return one(
        name,
        *inputs,
        stride=size_of(stride),
        padding=padding_of(padding),
        dilation=size_of(dilation),
        groups=groups,
    )


def conv1d(
    x: TensorLike,
    weight: TensorLike,
    bias: TensorLike | None = None,
    stride: Size = 1,
    padding: Padding = 0,
    dilation: Size = 1,
    groups: int = 1,
) -> Tensor:
    """One-dimensional cross-correlation: `conv2d` of images of height 1.

    Args:
        x: (batch, in_channels, length).
        weight: (out_channels, in_channels / groups, kernel_length).
        bias: (out_channels,) or None.
        stride: Step of the window.
        padding: As for `conv2d`: a number, ((left, right),), `valid`, `same` or `same_lower`.
        dilation: Distance between taps.
        groups: Channels are split into so many independent convolutions.

    Returns:
        (batch, out_channels, out_length), with out_length as in `conv2d`.

    Raises:
        ShapeError: Channels do not fit, or the window is larger than the padded input.

    Example:
        >>> x = lamina.tensor([[[1.0, 2.0, 4.0]]])
        >>> ops.conv1d(x, lamina.tensor([[[-1.0, 1.0]]])).tolist()
        [[[1.0, 2.0]]]
    """
    return _conv("conv1d", x, weight, bias, stride, padding, dilation, groups)


def conv2d(
    x: TensorLike,
    weight: TensorLike,
    bias: TensorLike | None = None,
    stride: Size = 1,
    padding: Padding = 0,
    dilation: Size = 1,
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
    return _conv("conv2d", x, weight, bias, stride, padding, dilation, groups)


def conv3d(
    x: TensorLike,
    weight: TensorLike,
    bias: TensorLike | None = None,
    stride: Size = 1,
    padding: Padding = 0,
    dilation: Size = 1,
    groups: int = 1,
) -> Tensor:
    """Three-dimensional cross-correlation: `conv2d` with the depths that a window sees as channels.

    Where the kernel has a depth, the input is laid out anew, once for each tap along it.

    Args:
        x: (batch, in_channels, depth, height, width).
        weight: (out_channels, in_channels / groups, kernel_depth, kernel_height, kernel_width).
        bias: (out_channels,) or None.
        stride: Step of the window, one number or one for each axis.
        padding: As for `conv2d`: a number, one for each axis, pairs, `valid`, `same` or
            `same_lower`.
        dilation: Distance between taps.
        groups: Channels are split into so many independent convolutions.

    Returns:
        (batch, out_channels, out_depth, out_height, out_width), with sizes as in `conv2d`.

    Raises:
        ShapeError: Channels do not fit, or the window is larger than the padded input.

    Example:
        >>> ops.conv3d(ops.ones((1, 1, 2, 2, 2)), ops.ones((1, 1, 2, 2, 2))).tolist()
        [[[[[8.0]]]]]
    """
    return _conv("conv3d", x, weight, bias, stride, padding, dilation, groups)


def _conv_transpose(
    name: str,
    x: TensorLike,
    weight: TensorLike,
    bias: TensorLike | None,
    stride: Size,
    padding: Padding,
    output_padding: Size,
    groups: int,
    dilation: Size,
    output_size: Size | None,
) -> Tensor:
    inputs = [x, weight] if bias is None else [x, weight, bias]
    return one(
        name,
        *inputs,
        stride=size_of(stride),
        padding=padding_of(padding),
        output_padding=size_of(output_padding),
        dilation=size_of(dilation),
        groups=groups,
        output_size=None if output_size is None else size_of(output_size),
    )


def conv_transpose1d(
    x: TensorLike,
    weight: TensorLike,
    bias: TensorLike | None = None,
    stride: Size = 1,
    padding: Padding = 0,
    output_padding: Size = 0,
    groups: int = 1,
    dilation: Size = 1,
    output_size: Size | None = None,
) -> Tensor:
    """One-dimensional transposed convolution; see `conv_transpose2d`.

    Args:
        x: (batch, in_channels, length).
        weight: (in_channels, out_channels / groups, kernel_length).
        bias: (out_channels,) or None.
        stride: Distance between the places of neighbours.
        padding: What is cut off: a number, ((left, right),) or a word.
        output_padding: Elements more at the end, fewer than the stride or the dilation.
        groups: Channels are split into so many independent convolutions.
        dilation: Distance between taps.
        output_size: out_length itself, instead of `output_padding`.

    Returns:
        (batch, out_channels, out_length), with out_length as in `conv_transpose2d`.

    Raises:
        ShapeError: Channels do not fit, or the padding leaves nothing.
        ArgumentError: The output padding is too large, or there is no such output size.

    Example:
        >>> x = lamina.tensor([[[1.0, 2.0]]])
        >>> ops.conv_transpose1d(x, lamina.tensor([[[1.0, 10.0]]]), stride=2).tolist()
        [[[1.0, 10.0, 2.0, 20.0]]]
    """
    return _conv_transpose(
        "conv_transpose1d",
        x,
        weight,
        bias,
        stride,
        padding,
        output_padding,
        groups,
        dilation,
        output_size,
    )


def conv_transpose2d(
    x: TensorLike,
    weight: TensorLike,
    bias: TensorLike | None = None,
    stride: Size = 1,
    padding: Padding = 0,
    output_padding: Size = 0,
    groups: int = 1,
    dilation: Size = 1,
    output_size: Size | None = None,
) -> Tensor:
    """Two-dimensional transposed convolution: what `conv2d` sends back to its input.

    out[n, o, y * stride - pad + i * dilation, ...] is bias[o] + the sum over c, y, x of
    weight[c, o, i, j] * x[n, c, y, x].

    Args:
        x: (batch, in_channels, height, width).
        weight: (in_channels, out_channels / groups, kernel_height, kernel_width).
        bias: (out_channels,) or None.
        stride: Distance between the places of neighbours, one number or (vertical, horizontal).
        padding: What is cut off the borders: a number, (vertical, horizontal),
            ((top, bottom), (left, right)), where negative numbers add; or `same` for an output
            `stride` times as large as the input (the odd one cut at the end), or `same_lower` (cut
            at the start).
        output_padding: Rows and columns more at the end, fewer than the stride or the dilation.
        groups: Channels are split into so many independent convolutions.
        dilation: Distance between taps.
        output_size: (out_height, out_width) themselves, instead of `output_padding`; with `same`
            any, else one that this padding can come to.

    Returns:
        (batch, out_channels, out_height, out_width), where
        out = (size - 1) * stride - pads + dilation * (kernel - 1) + 1 + output_padding.

    Raises:
        ShapeError: Channels do not fit, or the padding leaves nothing.
        ArgumentError: The output padding is too large, or there is no such output size.

    Example:
        >>> x = lamina.tensor([[[[1.0, 2.0]]]])
        >>> ops.conv_transpose2d(x, lamina.tensor([[[[1.0, 10.0]]]]), stride=2).tolist()
        [[[[1.0, 10.0, 2.0, 20.0]]]]
    """
    return _conv_transpose(
        "conv_transpose2d",
        x,
        weight,
        bias,
        stride,
        padding,
        output_padding,
        groups,
        dilation,
        output_size,
    )


def conv_transpose3d(
    x: TensorLike,
    weight: TensorLike,
    bias: TensorLike | None = None,
    stride: Size = 1,
    padding: Padding = 0,
    output_padding: Size = 0,
    groups: int = 1,
    dilation: Size = 1,
    output_size: Size | None = None,
) -> Tensor:
    """Three-dimensional transposed convolution; see `conv_transpose2d`.

    Args:
        x: (batch, in_channels, depth, height, width).
        weight: (in_channels, out_channels / groups, kernel_depth, kernel_height, kernel_width).
        bias: (out_channels,) or None.
        stride: Distance between the places of neighbours, one number or one for each axis.
        padding: What is cut off the borders: a number, one for each axis, pairs or a word.
        output_padding: Elements more at the end of each axis, fewer than the stride or the dilation.
        groups: Channels are split into so many independent convolutions.
        dilation: Distance between taps.
        output_size: (out_depth, out_height, out_width) themselves, instead of `output_padding`.

    Returns:
        (batch, out_channels, out_depth, out_height, out_width), with sizes as in
        `conv_transpose2d`.

    Raises:
        ShapeError: Channels do not fit, or the padding leaves nothing.
        ArgumentError: The output padding is too large, or there is no such output size.

    Example:
        >>> x, weight = ops.ones((1, 1, 2, 2, 2)), ops.ones((1, 1, 2, 2, 2))
        >>> ops.conv_transpose3d(x, weight, stride=2).shape
        (1, 1, 4, 4, 4)
    """
    return _conv_transpose(
        "conv_transpose3d",
        x,
        weight,
        bias,
        stride,
        padding,
        output_padding,
        groups,
        dilation,
        output_size,
    )
