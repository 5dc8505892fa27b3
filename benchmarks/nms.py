"""NMS of 10,000 random boxes against ONNX Runtime's operator."""

from __future__ import annotations

import harness


def _boxes(n: int):
    import numpy as np

    rng = np.random.default_rng(0)
    corners = rng.uniform(0, 1000, (n, 2)).astype(np.float32)
    sizes = rng.uniform(5, 100, (n, 2)).astype(np.float32)
    return np.concatenate([corners, corners + sizes], 1), rng.uniform(0, 1, n).astype(np.float32)


def lamina_engine(n: int) -> harness.Timed:
    import lamina

    boxes, scores = (lamina.tensor(x) for x in _boxes(n))
    return lambda: lamina.decoders.nms(boxes, scores, iou_threshold=0.5).numpy()


def ort_engine(n: int) -> harness.Timed:
    import numpy as np
    import onnxruntime as ort
    from onnx import TensorProto, helper

    inputs = [
        helper.make_tensor_value_info("boxes", TensorProto.FLOAT, [1, n, 4]),
        helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, 1, n]),
    ]
    constants = [
        helper.make_tensor("most", TensorProto.INT64, [1], [n]),
        helper.make_tensor("iou", TensorProto.FLOAT, [1], [0.5]),
    ]
    node = helper.make_node("NonMaxSuppression", ["boxes", "scores", "most", "iou"], ["kept"])
    output = helper.make_tensor_value_info("kept", TensorProto.INT64, ["n", 3])
    graph = helper.make_graph([node], "nms", inputs, [output], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    boxes, scores = _boxes(n)
    feed = {"boxes": boxes[None], "scores": np.ascontiguousarray(scores[None, None])}
    return lambda: session.run(None, feed)


ENGINES = {"lamina": lamina_engine, "onnxruntime": ort_engine}


def main() -> None:
    options = harness.arguments(__doc__ or "")
    for threads in options.threads:
        medians = harness.compare(
            __file__, list(ENGINES), {"n": 10_000}, threads=threads, rounds=options.rounds
        )
        harness.table(f"NMS, {threads} thread(s)", [("10,000 boxes", medians)])


if __name__ == "__main__":
    main()
