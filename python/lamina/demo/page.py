"""Pages with digits scattered over them, and windows cut from pages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lamina.demo.network import DIGIT, MARGIN, PAPER, WINDOW

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Page:
    """Digits on paper.

    Attributes:
        ink: float32 (height, width), 0 paper to 1 ink.
        labels: int64 (count,).
        corners: int64 (count, 2), top and left of each 8 x 8 digit.
    """

    ink: Array
    labels: Array
    corners: Array


def scatter(images: Array, labels: Array, shape: tuple[int, int], rng: np.random.Generator) -> Page:
    """Put digits at random places, never less than two pixels apart.

    Args:
        images: (count, 8, 8), 0 to 1.
        labels: (count,).
        shape: Height and width of the page.
        rng: Where randomness comes from.

    Returns:
        A page; digits for which no free place was found in 200 tries are left out.
    """
    height, width = shape
    ink = np.zeros(shape, np.float32)
    taken = np.zeros(shape, bool)
    corners, kept = [], []
    for at in range(len(images)):
        for _ in range(200):
            top = int(rng.integers(MARGIN, height - DIGIT - MARGIN + 1))
            left = int(rng.integers(MARGIN, width - DIGIT - MARGIN + 1))
            around = (slice(top - MARGIN, top + DIGIT + MARGIN), slice(left - MARGIN, left + DIGIT + MARGIN))
            if not taken[around].any():
                inside = (slice(top, top + DIGIT), slice(left, left + DIGIT))
                ink[inside] = images[at]
                taken[inside] = True
                corners.append((top, left))
                kept.append(at)
                break
    return Page(ink, labels[kept].astype(np.int64), np.array(corners, np.int64).reshape(-1, 2))


def windows(page: Page, rng: np.random.Generator) -> tuple[Array, Array]:
    """Training windows: every digit within a pixel of the middle, and as many of other places.

    Args:
        page: A page of training digits.
        rng: Where randomness comes from.

    Returns:
        float32 (count, 1, 12, 12) and int64 (count,), `PAPER` where no digit is in the middle.
    """
    height, width = page.ink.shape
    limit = np.array([height - WINDOW, width - WINDOW])
    middle = np.clip(page.corners - MARGIN + rng.integers(-1, 2, page.corners.shape), 0, limit)
    # Half of the others are digits badly off the middle, which is what the
    # network must tell apart on a page; half lie anywhere.
    count = len(page.corners)
    shifted = page.corners[::2] - MARGIN + rng.integers(-9, 10, page.corners[::2].shape)
    anywhere = rng.integers(0, limit + 1, (count - len(shifted), 2))
    others = np.clip(np.concatenate([shifted, anywhere]), 0, limit)
    distance = np.abs(others[:, None] + MARGIN - page.corners[None]).max(2).min(1)
    others = others[distance >= 2]
    places = np.concatenate([middle, others])
    labels = np.concatenate([page.labels, np.full(len(others), PAPER)])
    views = np.lib.stride_tricks.sliding_window_view(page.ink, (WINDOW, WINDOW))
    return views[places[:, 0], places[:, 1]][:, None].astype(np.float32), labels.astype(np.int64)


def framed(images: Array) -> Array:
    """Digits in the middle of windows, (count, 1, 12, 12)."""
    return np.pad(images, ((0, 0), (MARGIN, MARGIN), (MARGIN, MARGIN)))[:, None].astype(np.float32)
