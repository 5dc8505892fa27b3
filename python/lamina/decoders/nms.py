"""Greedy non-maximum suppression."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from lamina import _lamina, ops
from lamina._lamina import ArgumentError, ShapeError, Tensor
from lamina.decoders.detections import Detections


def nms(
    boxes: Tensor,
    scores: Tensor,
    *,
    iou_threshold: float = 0.5,
    score_threshold: float | None = None,
    classes: Tensor | None = None,
    batch: Tensor | None = None,
    max_output: int | None = None,
) -> Tensor:
    """Take the best box, drop those that overlap it too much, and so on.

    Boxes whose score is not greater than score_threshold take no part.  A box is
    dropped when its IoU with a kept one is greater than iou_threshold: exactly at
    the threshold it stays.  IoU is intersection over union; of two boxes without
    area it is 0.  Corners may come in either order.

    Args:
        boxes: (count, 4), corners x1, y1, x2, y2, float32.
        scores: (count,), float32.
        iou_threshold: Greatest overlap that is let be.
        score_threshold: None: all take part.
        classes: (count,) integers; boxes of different classes never drop each other.
        batch: (count,) integers; likewise for pictures.
        max_output: The most indices returned, over all classes and pictures; None for all.

    Returns:
        int64 (kept,) on the boxes' device, in falling score order; of equal
        scores the lower index comes first, and wins.

    Raises:
        ShapeError: boxes is not (count, 4), or another length differs.
        ArgumentError: A threshold or max_output is out of range.

    Example:
        >>> boxes = lamina.tensor([[0.0, 0.0, 2.0, 2.0], [0.0, 0.0, 2.0, 1.9], [5.0, 5.0, 6.0, 6.0]])
        >>> scores = lamina.tensor([0.8, 0.9, 0.1])
        >>> decoders.nms(boxes, scores, score_threshold=0.2).tolist()
        [1]
        >>> decoders.nms(boxes, scores, classes=lamina.tensor([0, 1, 0])).tolist()
        [1, 0, 2]
    """
    _check(boxes, scores, iou_threshold, max_output, {"classes": classes, "batch": batch})
    group = _groups(classes, batch)
    if group is None:
        return ops.nms(
            boxes,
            scores,
            iou_threshold=iou_threshold,
            score_threshold=score_threshold,
            max_output=max_output,
        )
    kept = _by_group(boxes, scores, group, iou_threshold, score_threshold)
    if max_output is not None:
        kept = kept[:max_output]
    return _lamina.tensor(kept, device=boxes.device)


def _check(
    boxes: Tensor,
    scores: Tensor,
    iou_threshold: float,
    max_output: int | None,
    others: dict[str, Tensor | None],
) -> None:
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise ShapeError(f"nms: boxes has shape {boxes.shape}, wanted (count, 4)")
    for name, value in {"scores": scores, **others}.items():
        if value is not None and value.shape != boxes.shape[:1]:
            raise ShapeError(
                f"nms: {name} has shape {value.shape}, wanted {boxes.shape[:1]}, one for each box"
            )
    if not 0.0 <= iou_threshold <= 1.0:
        raise ArgumentError(f"nms: iou_threshold={iou_threshold} is not in [0, 1]")
    if max_output is not None and max_output < 0:
        raise ArgumentError(f"nms: max_output={max_output} is negative")


def _groups(classes: Tensor | None, batch: Tensor | None) -> npt.NDArray[np.int64] | None:
    """One number per distinct pair of class and picture."""
    given = [np.asarray(t.numpy()) for t in (batch, classes) if t is not None]
    if not given:
        return None
    _, group = np.unique(np.stack(given, 1), axis=0, return_inverse=True)
    return np.asarray(group, np.int64).reshape(-1)


def _by_group(
    boxes: Tensor,
    scores: Tensor,
    group: npt.NDArray[np.int64],
    iou_threshold: float,
    score_threshold: float | None,
) -> npt.NDArray[np.int64]:
    """Each group by itself, then all kept ones in falling score order."""
    kept = []
    for number in range(int(group.max(initial=-1)) + 1):
        members = np.flatnonzero(group == number)
        index = _lamina.tensor(members, device=boxes.device)
        own = ops.nms(
            ops.take(boxes, index),
            ops.take(scores, index),
            iou_threshold=iou_threshold,
            score_threshold=score_threshold,
        )
        kept.append(members[own.numpy()])
    every = np.sort(np.concatenate([np.zeros(0, np.int64), *kept]))
    falling = np.argsort(-scores.numpy()[every], kind="stable")
    return np.asarray(every[falling], np.int64)


class NMS:
    """`nms` as a decoder.

    Args:
        iou_threshold: Greatest overlap that is let be.
        score_threshold: Only boxes with a greater score take part; None for all.
        max_output: The most detections; None for all.

    Example:
        >>> decoder = decoders.NMS(score_threshold=0.5)
        >>> found = decoder(np.array([[[0.0, 0.0, 1.0, 1.0]]]), np.array([[0.9]]))
        >>> len(found), found.to_json()[0]["box"]
        (1, [0.0, 0.0, 1.0, 1.0])
    """

    inputs: ClassVar[tuple[str, ...]] = ("boxes", "scores")

    def __init__(
        self,
        *,
        iou_threshold: float = 0.5,
        score_threshold: float | None = None,
        max_output: int | None = None,
    ) -> None:
        self.iou_threshold = iou_threshold
        self.score_threshold = score_threshold
        self.max_output = max_output

    def __call__(self, boxes: npt.NDArray[Any], scores: npt.NDArray[Any]) -> Detections:
        """(count, 4) boxes and (count,) scores; a leading batch axis of 1 is taken off."""
        boxes = _without_batch("boxes", boxes, 2).astype(np.float32)
        scores = _without_batch("scores", scores, 1).astype(np.float32)
        kept = nms(
            _lamina.tensor(boxes, device="cpu"),
            _lamina.tensor(scores, device="cpu"),
            iou_threshold=self.iou_threshold,
            score_threshold=self.score_threshold,
            max_output=self.max_output,
        ).numpy()
        return Detections(boxes[kept], scores[kept], None, kept)


def _without_batch(name: str, array: npt.NDArray[Any], rank: int) -> npt.NDArray[Any]:
    array = np.asarray(array)
    while array.ndim > rank and array.shape[0] == 1:
        array = array[0]
    if array.ndim != rank:
        raise ShapeError(f"nms: {name} has shape {array.shape}, wanted {rank} axes after a batch of 1")
    return array
