"""Non-maximum suppression as an op."""

from __future__ import annotations

from lamina._lamina import Tensor
from lamina.ops._record import TensorLike, one


def nms(
    boxes: TensorLike,
    scores: TensorLike,
    *,
    iou_threshold: float = 0.5,
    score_threshold: float | None = None,
    max_output: int | None = None,
) -> Tensor:
    """Greedy non-maximum suppression; `lamina.decoders.nms` says it in full.

    The result's length depends on the data, so the inputs are evaluated at the call.

    Args:
        boxes: (count, 4), corners x1, y1, x2, y2.
        scores: (count,).
        iou_threshold: A box is dropped when its IoU with a kept one is greater.
        score_threshold: Only boxes with a greater score take part; None for all.
        max_output: The most indices returned; None for all.

    Returns:
        int64 (kept,), in falling score order; the lower index wins ties.

    Example:
        >>> boxes = lamina.tensor([[0.0, 0.0, 2.0, 2.0], [0.0, 0.0, 2.0, 1.9], [5.0, 5.0, 6.0, 6.0]])
        >>> ops.nms(boxes, lamina.tensor([0.8, 0.9, 0.1])).tolist()
        [1, 2]
    """
    return one(
        "nms",
        boxes,
        scores,
        iou_threshold=iou_threshold,
        score_threshold=score_threshold,
        max_output=max_output,
    )
