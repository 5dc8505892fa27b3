"""Pooling to an output of a given size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from lamina._lamina import Tensor
from lamina.ops._record import TensorLike, many, one

OutputSize: TypeAlias = int | Sequence[int | None] | None


def _size_of(size: OutputSize) -> list[int]:
    """None, an axis as it is, is -1 in the core."""
    sizes = [size] if size is None or isinstance(size, int) else size
    return [-1 if n is None else n for n in sizes]


def adaptive_avg_pool1d(x: TensorLike, output_size: OutputSize) -> Tensor:
    """The mean of each window, of windows so large that there are `output_size`.

    Args:
        x: (batch, channels, length).
        output_size: out_length; None leaves it as it is.

    Returns:
        (batch, channels, out_length), by the rule of `adaptive_avg_pool2d`.

    Raises:
        ArgumentError: A size is less than 1, or x is empty.

    Example:
        >>> ops.adaptive_avg_pool1d(lamina.tensor([[[1.0, 2.0, 6.0]]]), 2).tolist()
        [[[1.5, 4.0]]]
    """
    return one("adaptive_avg_pool1d", x, output_size=_size_of(output_size))


def adaptive_avg_pool2d(x: TensorLike, output_size: OutputSize) -> Tensor:
    """The mean of each window, of windows so large that there are `output_size`.

    Window i of n begins at floor(i * size / n) and ends before ceil((i + 1) * size / n), on each
    axis, as PyTorch has it.

    Args:
        x: (batch, channels, height, width).
        output_size: One number or (out_height, out_width); None leaves an axis as it is.

    Returns:
        (batch, channels, out_height, out_width).

    Raises:
        ArgumentError: A size is less than 1, or x is empty.

    Example:
        >>> ops.adaptive_avg_pool2d(lamina.tensor([[[[1.0, 2.0, 6.0]]]]), (1, 2)).tolist()
        [[[[1.5, 4.0]]]]
    """
    return one("adaptive_avg_pool2d", x, output_size=_size_of(output_size))


def adaptive_avg_pool3d(x: TensorLike, output_size: OutputSize) -> Tensor:
    """The mean of each window, of windows so large that there are `output_size`.

    Args:
        x: (batch, channels, depth, height, width).
        output_size: One number or (out_depth, out_height, out_width); None leaves an axis as it is.

    Returns:
        (batch, channels, out_depth, out_height, out_width), by the rule of `adaptive_avg_pool2d`.

    Raises:
        ArgumentError: A size is less than 1, or x is empty.

    Example:
        >>> ops.adaptive_avg_pool3d(lamina.tensor([[[[[1.0, 2.0, 6.0]]]]]), (1, 1, 2)).tolist()
        [[[[[1.5, 4.0]]]]]
    """
    return one("adaptive_avg_pool3d", x, output_size=_size_of(output_size))


def adaptive_max_pool1d(x: TensorLike, output_size: OutputSize) -> Tensor:
    """The largest value of each window, of windows so large that there are `output_size`.

    Args:
        x: (batch, channels, length).
        output_size: out_length; None leaves it as it is.

    Returns:
        (batch, channels, out_length), by the rule of `adaptive_max_pool2d`.

    Raises:
        ArgumentError: A size is less than 1, or x is empty.

    Example:
        >>> ops.adaptive_max_pool1d(lamina.tensor([[[1.0, 2.0, 6.0]]]), 2).tolist()
        [[[2.0, 6.0]]]
    """
    return one("adaptive_max_pool1d", x, output_size=_size_of(output_size))


def adaptive_max_pool2d(x: TensorLike, output_size: OutputSize) -> Tensor:
    """The largest value of each window, of windows so large that there are `output_size`.

    Window i of n begins at floor(i * size / n) and ends before ceil((i + 1) * size / n), on each
    axis, as PyTorch has it.

    Args:
        x: (batch, channels, height, width).
        output_size: One number or (out_height, out_width); None leaves an axis as it is.

    Returns:
        (batch, channels, out_height, out_width).

    Raises:
        ArgumentError: A size is less than 1, or x is empty.

    Example:
        >>> ops.adaptive_max_pool2d(lamina.tensor([[[[1.0, 2.0, 6.0]]]]), (1, 2)).tolist()
        [[[[2.0, 6.0]]]]
    """
    return one("adaptive_max_pool2d", x, output_size=_size_of(output_size))


def adaptive_max_pool3d(x: TensorLike, output_size: OutputSize) -> Tensor:
    """The largest value of each window, of windows so large that there are `output_size`.

    Args:
        x: (batch, channels, depth, height, width).
        output_size: One number or (out_depth, out_height, out_width); None leaves an axis as it is.

    Returns:
        (batch, channels, out_depth, out_height, out_width), by the rule of `adaptive_max_pool2d`.

    Raises:
        ArgumentError: A size is less than 1, or x is empty.

    Example:
        >>> ops.adaptive_max_pool3d(lamina.tensor([[[[[1.0, 2.0, 6.0]]]]]), (1, 1, 2)).tolist()
        [[[[[2.0, 6.0]]]]]
    """
    return one("adaptive_max_pool3d", x, output_size=_size_of(output_size))


def adaptive_max_pool1d_with_indices(x: TensorLike, output_size: OutputSize) -> tuple[Tensor, Tensor]:
    """`adaptive_max_pool1d`, and the place of each maximum.

    Args:
        x: (batch, channels, length).
        output_size: As for `adaptive_max_pool1d`.

    Returns:
        The maxima, and the places of the first of each in its own image, as int64; as of
        `max_pool1d_with_indices`.

    Example:
        >>> y, places = ops.adaptive_max_pool1d_with_indices(lamina.tensor([[[1.0, 2.0, 6.0]]]), 2)
        >>> places.tolist()
        [[[1, 2]]]
    """
    form = {"output_size": _size_of(output_size), "return_indices": True}
    y, places = many("adaptive_max_pool1d", [x], form)
    return y, places


def adaptive_max_pool2d_with_indices(x: TensorLike, output_size: OutputSize) -> tuple[Tensor, Tensor]:
    """`adaptive_max_pool2d`, and the place of each maximum.

    Args:
        x: (batch, channels, height, width).
        output_size: As for `adaptive_max_pool2d`.

    Returns:
        The maxima, and the places of the first of each in its own image, as int64; as of
        `max_pool2d_with_indices`.

    Example:
        >>> y, places = ops.adaptive_max_pool2d_with_indices(lamina.tensor([[[[1.0, 2.0, 6.0]]]]), (1, 2))
        >>> places.tolist()
        [[[[1, 2]]]]
    """
    form = {"output_size": _size_of(output_size), "return_indices": True}
    y, places = many("adaptive_max_pool2d", [x], form)
    return y, places


def adaptive_max_pool3d_with_indices(x: TensorLike, output_size: OutputSize) -> tuple[Tensor, Tensor]:
    """`adaptive_max_pool3d`, and the place of each maximum.

    Args:
        x: (batch, channels, depth, height, width).
        output_size: As for `adaptive_max_pool3d`.

    Returns:
        The maxima, and the places of the first of each in its own image, as int64; as of
        `max_pool3d_with_indices`.

    Example:
        >>> x = lamina.tensor([[[[[1.0, 2.0, 6.0]]]]])
        >>> y, places = ops.adaptive_max_pool3d_with_indices(x, (1, 1, 2))
        >>> places.tolist()
        [[[[[1, 2]]]]]
    """
    form = {"output_size": _size_of(output_size), "return_indices": True}
    y, places = many("adaptive_max_pool3d", [x], form)
    return y, places
