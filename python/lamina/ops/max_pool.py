"""Max pooling over one, two and three axes, and its inverse."""

from __future__ import annotations

from lamina._lamina import Tensor
from lamina.ops._record import TensorLike, many, one
from lamina.ops._window import Padding, Size, padding_of, size_of


def _form(
    kernel_size: Size, stride: Size | None, padding: Padding, dilation: Size, ceil_mode: bool
) -> dict[str, object]:
    return {
        "kernel_size": size_of(kernel_size),
        "stride": None if stride is None else size_of(stride),
        "padding": padding_of(padding),
        "dilation": size_of(dilation),
        "ceil_mode": ceil_mode,
    }


def max_pool1d(
    x: TensorLike,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Padding = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
) -> Tensor:
    """The largest value in each window; padding counts as -infinity.

    Args:
        x: (batch, channels, length).
        kernel_size: Size of the window, a number.
        stride: Its step; kernel_size if None.
        padding: As for `conv1d`.
        dilation: Distance between taps.
        ceil_mode: Round the output size up, as in `max_pool2d`.

    Returns:
        (batch, channels, out_length).  The gradient goes to the first maximum.

    Example:
        >>> ops.max_pool1d(lamina.tensor([[[1.0, 3.0, 2.0, 4.0]]]), 2).tolist()
        [[[3.0, 4.0]]]
    """
    return one("max_pool1d", x, **_form(kernel_size, stride, padding, dilation, ceil_mode))


def max_pool2d(
    x: TensorLike,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Padding = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
) -> Tensor:
    """The largest value in each window; padding counts as -infinity.

    Args:
        x: (batch, channels, height, width).
        kernel_size: Size of the window, one number or (vertical, horizontal).
        stride: Its step; kernel_size if None.
        padding: As for `conv2d`.
        dilation: Distance between taps.
        ceil_mode: Round the output size up; the last window must start inside the input or its
            padding at the start.

    Returns:
        (batch, channels, out_height, out_width).  The gradient goes to the first maximum.

    Example:
        >>> ops.max_pool2d(lamina.tensor([[[[1.0, 2.0], [3.0, 4.0]]]]), 2).tolist()
        [[[[4.0]]]]
    """
    return one("max_pool2d", x, **_form(kernel_size, stride, padding, dilation, ceil_mode))


def max_pool3d(
    x: TensorLike,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Padding = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
) -> Tensor:
    """The largest value in each window; padding counts as -infinity.

    Args:
        x: (batch, channels, depth, height, width).
        kernel_size: Size of the window, one number or one for each axis.
        stride: Its step; kernel_size if None.
        padding: As for `conv3d`.
        dilation: Distance between taps.
        ceil_mode: Round the output size up, as in `max_pool2d`.

    Returns:
        (batch, channels, out_depth, out_height, out_width).  The gradient goes to the first maximum.

    Example:
        >>> ops.max_pool3d(lamina.tensor([[[[[1.0, 2.0], [3.0, 4.0]]]]]), (1, 2, 2)).tolist()
        [[[[[4.0]]]]]
    """
    return one("max_pool3d", x, **_form(kernel_size, stride, padding, dilation, ceil_mode))


def max_pool1d_with_indices(
    x: TensorLike,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Padding = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
) -> tuple[Tensor, Tensor]:
    """`max_pool1d`, and the place of each maximum.

    Args:
        x: (batch, channels, length).
        kernel_size: Size of the window, a number.
        stride: Its step; kernel_size if None.
        padding: As for `conv1d`.
        dilation: Distance between taps.
        ceil_mode: Round the output size up.

    Returns:
        Two of (batch, channels, out_length): the maxima, and the number, as
        int64, of the first of each in its own image (row-major, without batch and channel); -1 for
        a window that lies in the padding alone.

    Example:
        >>> y, places = ops.max_pool1d_with_indices(lamina.tensor([[[1.0, 3.0, 2.0, 4.0]]]), 2)
        >>> places.tolist()
        [[[1, 3]]]
    """
    form = _form(kernel_size, stride, padding, dilation, ceil_mode) | {"return_indices": True}
    y, places = many("max_pool1d", [x], form)
    return y, places


def max_pool2d_with_indices(
    x: TensorLike,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Padding = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
) -> tuple[Tensor, Tensor]:
    """`max_pool2d`, and the place of each maximum.

    Args:
        x: (batch, channels, height, width).
        kernel_size: Size of the window, one number or (vertical, horizontal).
        stride: Its step; kernel_size if None.
        padding: As for `conv2d`.
        dilation: Distance between taps.
        ceil_mode: Round the output size up.

    Returns:
        Two of (batch, channels, out_height, out_width): the maxima, and the number, as
        int64, of the first of each in its own image (row-major, without batch and channel); -1 for
        a window that lies in the padding alone.

    Example:
        >>> y, places = ops.max_pool2d_with_indices(lamina.tensor([[[[1.0, 2.0], [3.0, 4.0]]]]), 2)
        >>> places.tolist()
        [[[[3]]]]
    """
    form = _form(kernel_size, stride, padding, dilation, ceil_mode) | {"return_indices": True}
    y, places = many("max_pool2d", [x], form)
    return y, places


def max_pool3d_with_indices(
    x: TensorLike,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Padding = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
) -> tuple[Tensor, Tensor]:
    """`max_pool3d`, and the place of each maximum.

    Args:
        x: (batch, channels, depth, height, width).
        kernel_size: Size of the window, one number or one for each axis.
        stride: Its step; kernel_size if None.
        padding: As for `conv3d`.
        dilation: Distance between taps.
        ceil_mode: Round the output size up.

    Returns:
        Two of (batch, channels, out_depth, out_height, out_width): the maxima, and the number, as
        int64, of the first of each in its own image (row-major, without batch and channel); -1 for
        a window that lies in the padding alone.

    Example:
        >>> y, places = ops.max_pool3d_with_indices(lamina.tensor([[[[[1.0, 2.0], [3.0, 4.0]]]]]), (1, 2, 2))
        >>> places.tolist()
        [[[[[3]]]]]
    """
    form = _form(kernel_size, stride, padding, dilation, ceil_mode) | {"return_indices": True}
    y, places = many("max_pool3d", [x], form)
    return y, places


def _max_unpool(
    name: str,
    x: TensorLike,
    indices: TensorLike,
    kernel_size: Size,
    stride: Size | None,
    padding: Size,
    output_size: Size | None,
) -> Tensor:
    return one(
        name,
        x,
        indices,
        kernel_size=size_of(kernel_size),
        stride=None if stride is None else size_of(stride),
        padding=size_of(padding),
        output_size=None if output_size is None else size_of(output_size),
    )


def max_unpool1d(
    x: TensorLike,
    indices: TensorLike,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    output_size: Size | None = None,
) -> Tensor:
    """Zeros with each element at the place that `max_pool1d_with_indices` tells.

    Args:
        x: (batch, channels, length).
        indices: As x, integers: places in the result's images (row-major, without batch and
            channel).
        kernel_size: Of the pooling.
        stride: Of the pooling; kernel_size if None.
        padding: Of the pooling, a number.
        output_size: (out_length); (size - 1) * stride - 2 * padding + kernel_size if None.

    Returns:
        (batch, channels, out_length).  Of several elements for one place the
        last stays.

    Raises:
        ShapeError: x and indices differ in shape.
        IndexError: A place is not in the image.

    Example:
        >>> y, places = ops.max_pool1d_with_indices(lamina.tensor([[[1.0, 3.0, 2.0, 4.0]]]), 2)
        >>> ops.max_unpool1d(y, places, 2).tolist()
        [[[0.0, 3.0, 0.0, 4.0]]]
    """
    return _max_unpool("max_unpool1d", x, indices, kernel_size, stride, padding, output_size)


def max_unpool2d(
    x: TensorLike,
    indices: TensorLike,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    output_size: Size | None = None,
) -> Tensor:
    """Zeros with each element at the place that `max_pool2d_with_indices` tells.

    Args:
        x: (batch, channels, height, width).
        indices: As x, integers: places in the result's images (row-major, without batch and
            channel).
        kernel_size: Of the pooling.
        stride: Of the pooling; kernel_size if None.
        padding: Of the pooling, one number or one for each axis.
        output_size: (out_height, out_width); (size - 1) * stride - 2 * padding + kernel_size if None.

    Returns:
        (batch, channels, out_height, out_width).  Of several elements for one place the
        last stays.

    Raises:
        ShapeError: x and indices differ in shape.
        IndexError: A place is not in the image.

    Example:
        >>> y, places = ops.max_pool2d_with_indices(lamina.tensor([[[[1.0, 2.0], [3.0, 4.0]]]]), 2)
        >>> ops.max_unpool2d(y, places, 2).tolist()
        [[[[0.0, 0.0], [0.0, 4.0]]]]
    """
    return _max_unpool("max_unpool2d", x, indices, kernel_size, stride, padding, output_size)


def max_unpool3d(
    x: TensorLike,
    indices: TensorLike,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    output_size: Size | None = None,
) -> Tensor:
    """Zeros with each element at the place that `max_pool3d_with_indices` tells.

    Args:
        x: (batch, channels, depth, height, width).
        indices: As x, integers: places in the result's images (row-major, without batch and
            channel).
        kernel_size: Of the pooling.
        stride: Of the pooling; kernel_size if None.
        padding: Of the pooling, one number or one for each axis.
        output_size: (out_depth, out_height, out_width); (size - 1) * stride - 2 * padding +
            kernel_size if None.

    Returns:
        (batch, channels, out_depth, out_height, out_width).  Of several elements for one place the
        last stays.

    Raises:
        ShapeError: x and indices differ in shape.
        IndexError: A place is not in the image.

    Example:
        >>> y, places = ops.max_pool3d_with_indices(lamina.tensor([[[[[1.0, 2.0], [3.0, 4.0]]]]]), (1, 2, 2))
        >>> ops.max_unpool3d(y, places, (1, 2, 2)).tolist()
        [[[[[0.0, 0.0], [0.0, 4.0]]]]]
    """
    return _max_unpool("max_unpool3d", x, indices, kernel_size, stride, padding, output_size)
