"""Images read at places that are computed: grids and regions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from lamina._lamina import Tensor
from lamina.ops._record import TensorLike, one
from lamina.ops._window import Size, each


def grid_sample(
    input: TensorLike,
    grid: TensorLike,
    mode: Literal["bilinear", "nearest", "bicubic"] = "bilinear",
    padding_mode: Literal["zeros", "border", "reflection"] = "zeros",
    align_corners: bool = False,
) -> Tensor:
    """Images read where a grid says (the sampler of Jaderberg et al. 2015), as PyTorch has it.

    A coordinate g from -1 to 1 is the place ((g + 1) n - 1) / 2 of an axis of n elements, with
    align_corners (g + 1) (n - 1) / 2.  NaN counts as -1, and so does, with `reflection`, what lies
    beyond 1e9; infinite coordinates lie outside.

    Both have gradients.  The grid's is 0 with `nearest`, and where a coordinate is cut to the border; at
    an element's centre it is that towards the next element.

    Args:
        input: (batch, channels, height, width) or (batch, channels, depth, height, width); one axis
            works too.  With `nearest` of any dtype, else floats.
        grid: (batch, *, axes), as many axes as the input.  The first of the last axis' coordinates
            is that of the input's last axis: (x, y) or (x, y, z).
        mode: `bilinear` weighs the two neighbours on each axis (trilinear for three axes), `bicubic`
            four (Keys 1981, a = -0.75); `nearest` rounds halves to even.
        padding_mode: What lies outside: 0, the nearest element, or the image mirrored.
        align_corners: Whether -1 and 1 are the centres of the first and last elements, or their
            outer edges.

    Returns:
        (batch, channels, *).

    Raises:
        ShapeError: The shapes do not fit, or an axis of the input is empty.
        UnsupportedError: The grid is not of floats, or the input is not and mode is not `nearest`.

    Example:
        >>> image = lamina.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
        >>> ops.grid_sample(image, lamina.tensor([[[[0.0, 0.0], [0.5, 0.5]]]])).tolist()
        [[[[2.5, 4.0]]]]
    """
    return one("grid_sample", input, grid, mode=mode, padding_mode=padding_mode, align_corners=align_corners)


def affine_grid(theta: TensorLike, size: Sequence[int], align_corners: bool = False) -> Tensor:
    """The grid for `grid_sample` that maps each position (x, y, 1) of the result by theta.

    Args:
        theta: (batch, 2, 3), or (batch, 3, 4) for three axes.
        size: Of the result: (batch, channels, height, width), or with a depth before the height.
        align_corners: As for `grid_sample`.

    Returns:
        (batch, height, width, 2) or (batch, depth, height, width, 3).

    Raises:
        ShapeError: theta does not fit the size.

    Example:
        >>> theta = lamina.tensor([[[1.0, 0.0, 0.5], [0.0, 1.0, 0.0]]])
        >>> ops.affine_grid(theta, (1, 1, 1, 2)).tolist()
        [[[[0.0, 0.0], [1.0, 0.0]]]]
    """
    return one("affine_grid", theta, size=list(size), align_corners=align_corners)


def roi_align(
    input: TensorLike,
    boxes: TensorLike,
    output_size: Size,
    spatial_scale: float = 1.0,
    sampling_ratio: int = -1,
    aligned: bool = False,
) -> Tensor:
    """Regions of images at one size: each bin the mean of samples between elements (He et al. 2017).

    As torchvision has it.  Samples more than one element outside of the image are 0, and so are
    regions that are not finite.  The input has a gradient, the boxes have none.

    Args:
        input: (batch, channels, height, width).
        boxes: (boxes, 5): the image's number, then x1, y1, x2, y2.
        output_size: (rows, columns) of bins, or one number for both.
        spatial_scale: From a box's coordinates to elements.
        sampling_ratio: Samples of a bin along each axis, at most 1024; 0 or less: as many as the bin
            has elements, rounded up.
        aligned: Whether a box's coordinates are taken half an element less, as of corners; otherwise
            regions are at least one element long.

    Returns:
        (boxes, channels, rows, columns).

    Raises:
        ShapeError: The shapes do not fit.
        IndexError: There is no image of that number (on a GPU, when the result is read).

    Example:
        >>> image = lamina.tensor([[[[0.0, 1.0], [2.0, 3.0]]]])
        >>> ops.roi_align(image, lamina.tensor([[0.0, 0.0, 0.0, 1.0, 1.0]]), 1).tolist()
        [[[[1.5]]]]
    """
    return one(
        "roi_align",
        input,
        boxes,
        output_size=each(output_size, 2),
        spatial_scale=spatial_scale,
        sampling_ratio=sampling_ratio,
        aligned=aligned,
    )


def roi_pool(input: TensorLike, boxes: TensorLike, output_size: Size, spatial_scale: float = 1.0) -> Tensor:
    """The largest element in each bin of regions of images (Girshick 2015), as torchvision has it.

    Coordinates are rounded to elements, both ends belong to the region, and bins may overlap by one.
    A bin without elements is 0, and so is a region that is not finite; NaN is the largest.  The
    input has a gradient, to the first largest element of a bin; the boxes have none.

    Args:
        input: (batch, channels, height, width).
        boxes: (boxes, 5): the image's number, then x1, y1, x2, y2.
        output_size: (rows, columns) of bins, or one number for both.
        spatial_scale: From a box's coordinates to elements.

    Returns:
        (boxes, channels, rows, columns).

    Raises:
        ShapeError: The shapes do not fit.
        IndexError: There is no image of that number (on a GPU, when the result is read).

    Example:
        >>> image = lamina.tensor([[[[0.0, 1.0], [2.0, 3.0]]]])
        >>> ops.roi_pool(image, lamina.tensor([[0.0, 0.0, 0.0, 1.0, 0.0]]), (1, 2)).tolist()
        [[[[0.0, 1.0]]]]
    """
    return one("roi_pool", input, boxes, output_size=each(output_size, 2), spatial_scale=spatial_scale)
