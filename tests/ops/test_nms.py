"""Non-maximum suppression, as an op and as the decoder."""

import numpy as np
import onnx
import onnxruntime
import pytest

import lamina
from helpers import raises, rng
from lamina import decoders
from oracle.index import nms as reference


def scene(count, seed=0, ties=False):
    r = rng(seed)
    corner = r.uniform(0, 50, (count, 2))
    boxes = np.concatenate([corner, corner + r.uniform(1, 20, (count, 2))], 1).astype(np.float32)
    scores = r.uniform(0, 1, count).astype(np.float32)
    return boxes, (np.round(scores * 5) / 5 if ties else scores).astype(np.float32)


@pytest.mark.parametrize("count", [0, 1, 2, 31, 33, 500])
@pytest.mark.parametrize("ties", [False, True])
def test_nms(device, count, ties):
    boxes, scores = scene(count, ties=ties)
    for keywords in ({}, {"iou_threshold": 0.2, "score_threshold": 0.4}, {"max_output": 3}):
        got = decoders.nms(
            lamina.tensor(boxes, device=device), lamina.tensor(scores, device=device), **keywords
        )
        assert got.dtype == lamina.int64
        assert got.device == device
        np.testing.assert_array_equal(got.numpy(), reference(boxes, scores, **keywords))


def test_classes_and_pictures_keep_apart(device):
    boxes, scores = scene(200)
    classes, batch = rng(1).integers(0, 3, 200), rng(2).integers(0, 2, 200)

    def tensor(array):
        return lamina.tensor(array, device=device)

    got = decoders.nms(tensor(boxes), tensor(scores), classes=tensor(classes), batch=tensor(batch))
    np.testing.assert_array_equal(got.numpy(), reference(boxes, scores, group=classes * 2 + batch))


def test_exactly_at_the_threshold_a_box_stays(device):
    boxes = lamina.tensor([[0.0, 0.0, 2.0, 2.0], [0.0, 0.0, 2.0, 1.0]], device=device)
    scores = lamina.tensor([0.9, 0.8], device=device)
    assert decoders.nms(boxes, scores, iou_threshold=0.5).tolist() == [0, 1]
    assert decoders.nms(boxes, scores, iou_threshold=0.49).tolist() == [0]
    assert decoders.nms(boxes, scores, score_threshold=0.8).tolist() == [0]


def test_boxes_without_area(device):
    boxes = lamina.tensor([[1.0, 1.0, 1.0, 1.0]] * 2, device=device)
    assert decoders.nms(boxes, lamina.tensor([0.5, 0.6], device=device)).tolist() == [1, 0]


def test_same_as_onnxruntime():
    helper, proto = onnx.helper, onnx.TensorProto
    node = helper.make_node("NonMaxSuppression", ["boxes", "scores", "most", "iou", "least"], ["kept"])
    graph = helper.make_graph(
        [node],
        "nms",
        [
            helper.make_tensor_value_info("boxes", proto.FLOAT, [1, "n", 4]),
            helper.make_tensor_value_info("scores", proto.FLOAT, [1, 1, "n"]),
        ],
        [helper.make_tensor_value_info("kept", proto.INT64, ["m", 3])],
        [
            helper.make_tensor("most", proto.INT64, [1], [1000000]),
            helper.make_tensor("iou", proto.FLOAT, [1], [0.4]),
            helper.make_tensor("least", proto.FLOAT, [1], [0.3]),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    boxes, scores = scene(2000)
    (kept,) = session.run(None, {"boxes": boxes[None], "scores": scores[None, None]})
    got = decoders.nms(lamina.tensor(boxes), lamina.tensor(scores), iou_threshold=0.4, score_threshold=0.3)
    np.testing.assert_array_equal(got.numpy(), kept[:, 2])


def test_bad_input():
    boxes, scores = (lamina.tensor(a) for a in scene(3))
    raises(
        lamina.ShapeError,
        "nms: boxes has shape (3,), wanted (count, 4)",
        lambda: decoders.nms(scores, scores),
    )
    raises(
        lamina.ShapeError,
        "nms: scores has shape (2,), wanted (3,), one for each box",
        lambda: decoders.nms(boxes, scores[:2]),
    )
    raises(
        lamina.ArgumentError,
        "nms: iou_threshold=1.5 is not in [0, 1]",
        lambda: decoders.nms(boxes, scores, iou_threshold=1.5),
    )
    raises(
        lamina.ArgumentError,
        "nms: max_output=-1 is negative",
        lambda: decoders.nms(boxes, scores, max_output=-1),
    )
