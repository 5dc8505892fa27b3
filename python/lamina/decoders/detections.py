"""Boxes with scores and labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Detections:
    """What a detector found, best first.

    Attributes:
        boxes: (count, 4), corners x1, y1, x2, y2.
        scores: (count,).
        labels: int64 (count,), or None where there is one class.
        indices: int64 (count,), which of the inputs they were.
    """

    boxes: npt.NDArray[Any]
    scores: npt.NDArray[Any]
    labels: npt.NDArray[np.int64] | None
    indices: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.scores)

    def to_json(self) -> list[dict[str, Any]]:
        """One plain object per detection."""
        rows: list[dict[str, Any]] = []
        for at in range(len(self)):
            row: dict[str, Any] = {
                "box": [float(v) for v in self.boxes[at]],
                "score": float(self.scores[at]),
            }
            if self.labels is not None:
                row["label"] = int(self.labels[at])
            rows.append(row)
        return rows
