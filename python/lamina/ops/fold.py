"""Windows as an axis of their own, and their sums."""

from __future__ import annotations

from lamina._lamina import Tensor
from lamina.ops._record import TensorLike, one
from lamina.ops._window import Padding, Size, padding_of, size_of


def frame(x: TensorLike, dim: int, size: int, step: int = 1, dilation: int = 1) -> Tensor:
    """Overlapping frames along an axis, without a copy.

    out[..., f, t, ...] = x[..., f * step + t * dilation, ...].

    Args:
        x: (*).
        dim: The axis.
        size: Elements of a frame.
        step: Distance between the starts of frames.
        dilation: Distance between a frame's elements.

    Returns:
        (*), the axis replaced by two: whole frames, and the elements of each.

    Raises:
        ShapeError: A frame is longer than the axis.

    Example:
        >>> ops.frame(lamina.tensor([1.0, 2.0, 3.0, 4.0]), 0, 2).tolist()
        [[1.0, 2.0], [2.0, 3.0], [3.0, 4.0]]
    """
    return one("frame", x, dim=dim, size=size, step=step, dilation=dilation)


def overlap_add(
    x: TensorLike, dim: int, step: int = 1, dilation: int = 1, length: int | None = None
) -> Tensor:
    """Frames summed where they overlap: what `frame` sends back to its input.

    Args:
        x: (*) of floats, `dim` counting frames and the axis behind it their elements.
        dim: The axis of the frames.
        step: Distance between the starts of frames.
        dilation: Distance between a frame's elements.
        length: Of the result; what the frames reach if None.

    Returns:
        (*), the two axes replaced by one of `length`.

    Raises:
        ArgumentError: The frames reach further than `length`.

    Example:
        >>> ops.overlap_add(lamina.tensor([[1.0, 2.0], [3.0, 4.0]]), 0).tolist()
        [1.0, 5.0, 4.0]
    """
    return one("overlap_add", x, dim=dim, step=step, dilation=dilation, length=length)


def unfold(
    x: TensorLike, kernel_size: Size, dilation: Size = 1, padding: Padding = 0, stride: Size = 1
) -> Tensor:
    """Windows of images as columns (im2col), over any number of axes.

    Args:
        x: (batch, channels, *), with at least one axis.
        kernel_size: Size of the window, one number or one for each axis.
        dilation: Distance between taps.
        padding: As for `conv2d`.
        stride: Step of the window.

    Returns:
        (batch, channels * taps, windows), taps and windows in row-major order.

    Raises:
        ShapeError: The window is larger than the padded input.

    Example:
        >>> ops.unfold(lamina.tensor([[[1.0, 2.0, 3.0]]]), 2).tolist()
        [[[1.0, 2.0], [2.0, 3.0]]]
    """
    return one(
        "unfold",
        x,
        kernel_size=size_of(kernel_size),
        dilation=size_of(dilation),
        padding=padding_of(padding),
        stride=size_of(stride),
    )


def fold(
    x: TensorLike,
    output_size: Size,
    kernel_size: Size,
    dilation: Size = 1,
    padding: Padding = 0,
    stride: Size = 1,
) -> Tensor:
    """Images from columns (col2im): what windows have in common is summed.

    What `unfold` of images of `output_size` sends back to its input.

    Args:
        x: (batch, channels * taps, windows).
        output_size: Sizes of the images; their number is that of the axes.
        kernel_size: Size of the window, one number or one for each axis.
        dilation: Distance between taps.
        padding: As for `conv2d`.
        stride: Step of the window.

    Returns:
        (batch, channels, *output_size).

    Raises:
        ShapeError: x has not as many rows and columns as such images give.

    Example:
        >>> ops.fold(lamina.tensor([[[1.0, 2.0], [2.0, 3.0]]]), (3,), 2).tolist()
        [[[1.0, 4.0, 3.0]]]
    """
    return one(
        "fold",
        x,
        output_size=size_of(output_size),
        kernel_size=size_of(kernel_size),
        dilation=size_of(dilation),
        padding=padding_of(padding),
        stride=size_of(stride),
    )
