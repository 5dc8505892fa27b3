"""Layers that move elements of images, or make images larger."""

from __future__ import annotations

from typing import Literal

from lamina import ops
from lamina.nn.formed import Formed
from lamina.ops._window import Size


class PixelShuffle(Formed):
    """Channels as blocks of pixels; see `lamina.ops.pixel_shuffle`.

    Args:
        upscale_factor: Height and width of a block.

    Example:
        >>> nn.PixelShuffle(2)(ops.zeros((1, 12, 2, 3))).shape
        (1, 3, 4, 6)
    """

    _op = staticmethod(ops.pixel_shuffle)

    def __init__(self, upscale_factor: int) -> None:
        self.upscale_factor = upscale_factor


class PixelUnshuffle(Formed):
    """Blocks of pixels as channels; see `lamina.ops.pixel_unshuffle`.

    Args:
        downscale_factor: Height and width of a block.

    Example:
        >>> nn.PixelUnshuffle(2)(ops.zeros((1, 3, 4, 6))).shape
        (1, 12, 2, 3)
    """

    _op = staticmethod(ops.pixel_unshuffle)

    def __init__(self, downscale_factor: int) -> None:
        self.downscale_factor = downscale_factor


class ChannelShuffle(Formed):
    """Channels of groups in turn; see `lamina.ops.channel_shuffle`.

    Args:
        groups: Into how many groups of neighbours the channels are divided.

    Example:
        >>> nn.ChannelShuffle(2)(lamina.tensor([[0, 1, 2, 3]])).tolist()
        [[0, 2, 1, 3]]
    """

    _op = staticmethod(ops.channel_shuffle)

    def __init__(self, groups: int) -> None:
        self.groups = groups


class Upsample(Formed):
    """An image at another size; see `lamina.ops.interpolate`.

    Args:
        size: The new (height, width); either this or scale_factor.
        scale_factor: One factor, or (vertical, horizontal).
        mode: How values between pixels are found.
        align_corners: Whether the pixels in the corners stay where they are.

    Example:
        >>> nn.Upsample(scale_factor=2.0)(ops.zeros((1, 3, 4, 6))).shape
        (1, 3, 8, 12)
    """

    _op = staticmethod(ops.interpolate)

    def __init__(
        self,
        size: Size | None = None,
        scale_factor: float | tuple[float, float] | None = None,
        mode: Literal["nearest", "bilinear", "bicubic"] = "nearest",
        align_corners: bool = False,
    ) -> None:
        self.size = size
        self.scale_factor = scale_factor
        self.mode: Literal["nearest", "bilinear", "bicubic"] = mode
        self.align_corners = align_corners
