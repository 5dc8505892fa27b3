"""Pooling by means and by norms over one, two and three axes."""

from __future__ import annotations

from lamina._lamina import Tensor
from lamina.ops._record import TensorLike, one
from lamina.ops._window import Padding, Size, padding_of, size_of


def _avg_pool(
    name: str,
    x: TensorLike,
    kernel_size: Size,
    stride: Size | None,
    padding: Padding,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: float | None,
    dilation: Size,
) -> Tensor:
    return one(
        name,
        x,
        kernel_size=size_of(kernel_size),
        stride=None if stride is None else size_of(stride),
        padding=padding_of(padding),
        ceil_mode=ceil_mode,
        count_include_pad=count_include_pad,
        divisor_override=divisor_override,
        dilation=size_of(dilation),
    )


def avg_pool1d(
    x: TensorLike,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: float | None = None,
    dilation: Size = 1,
) -> Tensor:
    """The mean of each window.

    Args:
        x: (batch, channels, length).
        kernel_size: Size of the window, a number.
        stride: Its step; kernel_size if None.
        padding: As for `conv1d`.
        ceil_mode: Round the output size up, as in `max_pool2d`.
        count_include_pad: Whether padding counts in the divisor.
        divisor_override: The divisor itself.
        dilation: Distance between taps.

    Returns:
        (batch, channels, out_length).

    Example:
        >>> ops.avg_pool1d(lamina.tensor([[[1.0, 3.0, 2.0, 4.0]]]), 2).tolist()
        [[[2.0, 3.0]]]
    """
    return _avg_pool(
        "avg_pool1d",
        x,
        kernel_size,
        stride,
        padding,
        ceil_mode,
        count_include_pad,
        divisor_override,
        dilation,
    )


def avg_pool2d(
    x: TensorLike,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: float | None = None,
    dilation: Size = 1,
) -> Tensor:
    """The mean of each window.

    Args:
        x: (batch, channels, height, width).
        kernel_size: Size of the window, one number or (vertical, horizontal).
        stride: Its step; kernel_size if None.
        padding: As for `conv2d`.
        ceil_mode: Round the output size up, as in `max_pool2d`.
        count_include_pad: Whether padding counts in the divisor.
        divisor_override: The divisor itself.
        dilation: Distance between taps.

    Returns:
        (batch, channels, out_height, out_width).

    Example:
        >>> ops.avg_pool2d(lamina.tensor([[[[1.0, 2.0], [3.0, 4.0]]]]), 2).tolist()
        [[[[2.5]]]]
    """
    return _avg_pool(
        "avg_pool2d",
        x,
        kernel_size,
        stride,
        padding,
        ceil_mode,
        count_include_pad,
        divisor_override,
        dilation,
    )


def avg_pool3d(
    x: TensorLike,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: float | None = None,
    dilation: Size = 1,
) -> Tensor:
    """The mean of each window.

    Args:
        x: (batch, channels, depth, height, width).
        kernel_size: Size of the window, one number or one for each axis.
        stride: Its step; kernel_size if None.
        padding: As for `conv3d`.
        ceil_mode: Round the output size up, as in `max_pool2d`.
        count_include_pad: Whether padding counts in the divisor.
        divisor_override: The divisor itself.
        dilation: Distance between taps.

    Returns:
        (batch, channels, out_depth, out_height, out_width).

    Example:
        >>> ops.avg_pool3d(lamina.tensor([[[[[1.0, 2.0], [3.0, 4.0]]]]]), (1, 2, 2)).tolist()
        [[[[[2.5]]]]]
    """
    return _avg_pool(
        "avg_pool3d",
        x,
        kernel_size,
        stride,
        padding,
        ceil_mode,
        count_include_pad,
        divisor_override,
        dilation,
    )


def _lp_pool(
    name: str,
    x: TensorLike,
    norm_type: float,
    kernel_size: Size,
    stride: Size | None,
    ceil_mode: bool,
    padding: Padding,
    dilation: Size,
) -> Tensor:
    return one(
        name,
        x,
        norm_type=norm_type,
        kernel_size=size_of(kernel_size),
        stride=None if stride is None else size_of(stride),
        ceil_mode=ceil_mode,
        padding=padding_of(padding),
        dilation=size_of(dilation),
    )


def lp_pool1d(
    x: TensorLike,
    norm_type: float,
    kernel_size: Size,
    stride: Size | None = None,
    ceil_mode: bool = False,
    padding: Padding = 0,
    dilation: Size = 1,
) -> Tensor:
    """The norm of each window: (sum of |x|^p)^(1 / p).

    Args:
        x: (batch, channels, length).
        norm_type: p, above 0.
        kernel_size: Size of the window, a number.
        stride: Its step; kernel_size if None.
        ceil_mode: Round the output size up, as in `max_pool2d`.
        padding: As for `conv1d`.
        dilation: Distance between taps.

    Returns:
        (batch, channels, out_length).  The gradient of a norm of 0 is 0.

    Raises:
        ArgumentError: p is not above 0.

    Example:
        >>> ops.lp_pool1d(lamina.tensor([[[3.0, 4.0]]]), 2, 2).tolist()
        [[[5.0]]]
    """
    return _lp_pool("lp_pool1d", x, norm_type, kernel_size, stride, ceil_mode, padding, dilation)


def lp_pool2d(
    x: TensorLike,
    norm_type: float,
    kernel_size: Size,
    stride: Size | None = None,
    ceil_mode: bool = False,
    padding: Padding = 0,
    dilation: Size = 1,
) -> Tensor:
    """The norm of each window: (sum of |x|^p)^(1 / p).

    A window that reaches over the end, as `ceil_mode` allows, has the norm of what is there;
    PyTorch scales it up to that of a whole window.

    Args:
        x: (batch, channels, height, width).
        norm_type: p, above 0.
        kernel_size: Size of the window, one number or (vertical, horizontal).
        stride: Its step; kernel_size if None.
        ceil_mode: Round the output size up, as in `max_pool2d`.
        padding: As for `conv2d`.
        dilation: Distance between taps.

    Returns:
        (batch, channels, out_height, out_width).  The gradient of a norm of 0 is 0.

    Raises:
        ArgumentError: p is not above 0.

    Example:
        >>> ops.lp_pool2d(lamina.tensor([[[[3.0, 4.0]]]]), 2, (1, 2)).tolist()
        [[[[5.0]]]]
    """
    return _lp_pool("lp_pool2d", x, norm_type, kernel_size, stride, ceil_mode, padding, dilation)


def lp_pool3d(
    x: TensorLike,
    norm_type: float,
    kernel_size: Size,
    stride: Size | None = None,
    ceil_mode: bool = False,
    padding: Padding = 0,
    dilation: Size = 1,
) -> Tensor:
    """The norm of each window: (sum of |x|^p)^(1 / p).

    Args:
        x: (batch, channels, depth, height, width).
        norm_type: p, above 0.
        kernel_size: Size of the window, one number or one for each axis.
        stride: Its step; kernel_size if None.
        ceil_mode: Round the output size up, as in `max_pool2d`.
        padding: As for `conv3d`.
        dilation: Distance between taps.

    Returns:
        (batch, channels, out_depth, out_height, out_width).  The gradient of a norm of 0 is 0.

    Raises:
        ArgumentError: p is not above 0.

    Example:
        >>> ops.lp_pool3d(lamina.tensor([[[[[3.0, 4.0]]]]]), 2, (1, 1, 2)).tolist()
        [[[[[5.0]]]]]
    """
    return _lp_pool("lp_pool3d", x, norm_type, kernel_size, stride, ceil_mode, padding, dilation)


def global_avg_pool2d(x: TensorLike) -> Tensor:
    """The mean of each channel.

    Args:
        x: (batch, channels, height, width).

    Returns:
        (batch, channels, 1, 1).

    Example:
        >>> ops.global_avg_pool2d(lamina.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])).tolist()
        [[[[2.5]]]]
    """
    return one("global_avg_pool2d", x)


def global_max_pool2d(x: TensorLike) -> Tensor:
    """The largest value of each channel.

    Args:
        x: (batch, channels, height, width).

    Returns:
        (batch, channels, 1, 1).

    Example:
        >>> ops.global_max_pool2d(lamina.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])).tolist()
        [[[[4.0]]]]
    """
    return one("global_max_pool2d", x)
