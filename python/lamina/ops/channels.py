"""Elements of images moved between channels and pixels."""

from __future__ import annotations

from typing import Literal

from lamina._lamina import Tensor
from lamina.ops._record import TensorLike, one

Mode = Literal["DCR", "CRD"]


def depth_to_space(x: TensorLike, block_size: int, mode: Mode = "DCR") -> Tensor:
    """Channels as blocks of pixels, with ONNX's conventions.

    Args:
        x: (batch, block_size^2 * depth, height, width).
        block_size: Height and width of a block.
        mode: `DCR`: in the channels, rows and columns of a block come before the depth; `CRD`:
            after it.

    Returns:
        (batch, depth, block_size * height, block_size * width).

    Raises:
        ShapeError: The channels do not divide.

    Example:
        >>> ops.depth_to_space(ops.reshape(ops.arange(4), (1, 4, 1, 1)), 2).tolist()
        [[[[0, 1], [2, 3]]]]
    """
    return one("depth_to_space", x, block_size=block_size, mode=mode)


def space_to_depth(x: TensorLike, block_size: int, mode: Mode = "DCR") -> Tensor:
    """Blocks of pixels as channels: back from `depth_to_space`.

    Args:
        x: (batch, depth, block_size * height, block_size * width).
        block_size: Height and width of a block.
        mode: As of `depth_to_space`.

    Returns:
        (batch, block_size^2 * depth, height, width).

    Raises:
        ShapeError: Height or width does not divide.

    Example:
        >>> ops.space_to_depth(ops.zeros((1, 3, 4, 6)), 2).shape
        (1, 12, 2, 3)
    """
    return one("space_to_depth", x, block_size=block_size, mode=mode)


def pixel_shuffle(x: TensorLike, upscale_factor: int) -> Tensor:
    """Channels as blocks of pixels (Shi et al. 2016): `depth_to_space` with the depth first.

    Args:
        x: (batch, factor^2 * channels, height, width).
        upscale_factor: Height and width of a block.

    Returns:
        (batch, channels, factor * height, factor * width).

    Raises:
        ShapeError: The channels do not divide.

    Example:
        >>> ops.pixel_shuffle(ops.zeros((1, 12, 2, 3)), 2).shape
        (1, 3, 4, 6)
    """
    return depth_to_space(x, upscale_factor, "CRD")


def pixel_unshuffle(x: TensorLike, downscale_factor: int) -> Tensor:
    """Blocks of pixels as channels: back from `pixel_shuffle`.

    Args:
        x: (batch, channels, factor * height, factor * width).
        downscale_factor: Height and width of a block.

    Returns:
        (batch, factor^2 * channels, height, width).

    Raises:
        ShapeError: Height or width does not divide.

    Example:
        >>> ops.pixel_unshuffle(ops.zeros((1, 3, 4, 6)), 2).shape
        (1, 12, 2, 3)
    """
    return space_to_depth(x, downscale_factor, "CRD")


def channel_shuffle(x: TensorLike, groups: int) -> Tensor:
    """Channel i of group g becomes channel g of group i (Zhang et al. 2018).

    Args:
        x: (batch, channels, *).
        groups: Into how many groups of neighbours the channels are divided.

    Returns:
        The shape of x.

    Raises:
        ArgumentError: The channels do not divide into that many groups.

    Example:
        >>> ops.channel_shuffle(lamina.tensor([[0, 1, 2, 3]]), 2).tolist()
        [[0, 2, 1, 3]]
    """
    return one("channel_shuffle", x, groups=groups)
