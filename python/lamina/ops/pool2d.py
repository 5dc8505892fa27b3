"""Two-dimensional pooling."""

from __future__ import annotations

from lamina._lamina import Tensor
from lamina.ops._record import TensorLike, one
from lamina.ops._window import Padding, Pair, padding_of, pair


def max_pool2d(
    x: TensorLike,
    kernel_size: Pair,
    stride: Pair | None = None,
    padding: Padding = 0,
    dilation: Pair = 1,
    ceil_mode: bool = False,
) -> Tensor:
    """The largest value in each window; padding counts as -infinity.

    Args:
        x: (batch, channels, height, width).
        kernel_size: Size of the window.
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
    return one(
        "max_pool2d",
        x,
        kernel_size=pair(kernel_size),
        stride=pair(kernel_size if stride is None else stride),
        padding=padding_of(padding),
        dilation=pair(dilation),
        ceil_mode=ceil_mode,
    )


def avg_pool2d(
    x: TensorLike,
    kernel_size: Pair,
    stride: Pair | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:
    """The mean of each window.

    Args:
        x: (batch, channels, height, width).
        kernel_size: Size of the window.
        stride: Its step; kernel_size if None.
        padding: As for `conv2d`.
        ceil_mode: Round the output size up.
        count_include_pad: Whether padding counts in the divisor.

    Returns:
        (batch, channels, out_height, out_width).

    Example:
        >>> ops.avg_pool2d(lamina.tensor([[[[1.0, 2.0], [3.0, 4.0]]]]), 2).tolist()
        [[[[2.5]]]]
    """
    return one(
        "avg_pool2d",
        x,
        kernel_size=pair(kernel_size),
        stride=pair(kernel_size if stride is None else stride),
        padding=padding_of(padding),
        ceil_mode=ceil_mode,
        count_include_pad=count_include_pad,
    )


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
