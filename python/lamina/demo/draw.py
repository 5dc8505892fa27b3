"""The page as a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from lamina.decoders import Detections
from lamina.demo.network import DIGIT
from lamina.demo.page import Page
from lamina.pictures import font, pillow

if TYPE_CHECKING:
    from PIL.Image import Image

SCALE = 6
RIGHT, WRONG, MISSED = (20, 130, 60), (200, 30, 30), (230, 150, 0)


def draw(page: Page, detections: Detections, right: npt.NDArray[Any]) -> Image:
    """Green boxes are right, red ones wrong, orange digits were missed.

    Args:
        page: The page.
        detections: What was found on it.
        right: For each detection the digit it found, or -1.

    Returns:
        A picture six times the page's size.
    """
    image_module, draw_module = pillow("the demo's picture")
    grey = ((1.0 - page.ink) * 255).astype(np.uint8)
    size = (grey.shape[1] * SCALE, grey.shape[0] * SCALE)
    picture: Image = image_module.fromarray(grey).resize(size, image_module.Resampling.BICUBIC).convert("RGB")
    pen = draw_module.Draw(picture)
    letters = font(3 * SCALE)

    def box(left: float, top: float, colour: tuple[int, int, int], text: str) -> None:
        corners = [left * SCALE, top * SCALE, (left + DIGIT) * SCALE, (top + DIGIT) * SCALE]
        pen.rectangle(corners, outline=colour, width=2)
        pen.text((corners[0] + 2, corners[1] - 3 * SCALE), text, fill=colour, font=letters)

    for missed in set(range(len(page.labels))) - {int(at) for at in right}:
        top, left = page.corners[missed]
        box(left, top, MISSED, "?")
    for at in range(len(detections)):
        left, top = detections.boxes[at][:2]
        label = "" if detections.labels is None else str(detections.labels[at])
        box(left, top, RIGHT if right[at] >= 0 else WRONG, label)
    return picture
