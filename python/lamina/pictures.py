"""Pictures in and out, through Pillow."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from lamina._lamina import ArgumentError, write_file
from lamina.decoders.detections import Detections

if TYPE_CHECKING:
    from PIL.Image import Image

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp"})
COLOURS = ((230, 60, 30), (30, 140, 60), (30, 90, 210), (200, 130, 0), (140, 40, 160), (0, 140, 160))


def pillow(what: str) -> tuple[Any, Any]:
    """Pillow's Image and ImageDraw.

    Raises:
        ArgumentError: Pillow is not installed; says which extra brings it.
    """
    try:
        from PIL import Image, ImageDraw
    except ImportError as error:
        raise ArgumentError(f"{what} wants Pillow: pip install 'lamina[demo]'") from error
    return Image, ImageDraw


def font(size: int) -> Any:
    """Pillow's own font; older ones have it in one size only."""
    from PIL import ImageFont

    try:
        return ImageFont.load_default(size)
    except TypeError:
        return ImageFont.load_default()


def read(path: Path) -> Image:
    """A picture as RGB, upright.

    Raises:
        ArgumentError: It cannot be read.
    """
    image_module, _ = pillow(f"reading '{path}'")
    from PIL import ImageOps

    try:
        with image_module.open(path) as file:
            picture: Image = ImageOps.exif_transpose(file).convert("RGB")
            return picture
    except (OSError, SyntaxError) as error:
        raise ArgumentError(f"cannot read the picture '{path}': {error}") from error


def write(picture: Image, path: Path) -> None:
    """Writes all of a picture or nothing; the name's ending says how.

    Raises:
        OSError: The file cannot be written.
    """
    image_module, _ = pillow(f"writing '{path}'")
    packed = io.BytesIO()
    picture.save(packed, image_module.registered_extensions()[path.suffix.lower()])
    write_file(path, packed.getvalue())


def to_array(
    picture: Image,
    size: tuple[int, int] | None,
    mean: Sequence[float],
    std: Sequence[float],
    layout: str,
    order: str,
) -> npt.NDArray[np.float32]:
    """(picture - mean) / std as a batch of one.

    Args:
        picture: RGB.
        size: Height and width to resize to, bilinear; None keeps its own.
        mean: One number or one per channel, in 0..255.
        std: Likewise.
        layout: `nchw` or `nhwc`.
        order: `rgb`, `bgr` or `grey`.

    Returns:
        float32 (1, channels, height, width) or (1, height, width, channels).
    """
    image_module, _ = pillow("resizing")
    if order == "grey":
        picture = picture.convert("L")
    if size is not None:
        picture = picture.resize((size[1], size[0]), image_module.Resampling.BILINEAR)
    array: npt.NDArray[np.float32] = np.asarray(picture, np.float32)
    array = array[..., None] if array.ndim == 2 else array
    if order == "bgr":
        array = array[..., ::-1]
    array = ((array - np.asarray(mean)) / np.asarray(std)).astype(np.float32)
    if layout == "nchw":
        array = array.transpose(2, 0, 1)
    return np.ascontiguousarray(array[None], np.float32)


def with_boxes(picture: Image, detections: Detections) -> Image:
    """The picture with a box, and where there is a label its number, for each detection."""
    _, draw_module = pillow("drawing boxes")
    out: Image = picture.copy()
    pen = draw_module.Draw(out)
    width = max(2, min(out.size) // 250)
    letters = font(max(11, min(out.size) // 45))
    for at in range(len(detections)):
        label = None if detections.labels is None else int(detections.labels[at])
        colour = COLOURS[(label or 0) % len(COLOURS)]
        left, top, right, bottom = (float(v) for v in detections.boxes[at])
        corners = [min(left, right), min(top, bottom), max(left, right), max(top, bottom)]
        pen.rectangle(corners, outline=colour, width=width)
        text = f"{detections.scores[at]:.2f}" if label is None else f"{label} {detections.scores[at]:.2f}"
        pen.text((corners[0] + width, corners[1] + width), text, fill=colour, font=letters)
    return out
