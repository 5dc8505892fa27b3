"""The ONNX models of the test data against ONNX Runtime, outputs compared."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import harness

DATA = Path(os.environ.get("LAMINA_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
MODELS = {
    "faces RFB-320": "faces/version-RFB-320.onnx",
    "mnist": "mnist/mnist.onnx",
    "SqueezeNet f16": "imagenet/SqueezeNet_fp16.onnx",
}


def _feed(path: str) -> dict[str, Any]:
    import numpy as np
    import onnx

    rng = np.random.default_rng(0)
    graph = onnx.load(path).graph
    constants = {i.name for i in graph.initializer}
    feed = {}
    for value in graph.input:
        if value.name in constants:
            continue
        kind = value.type.tensor_type
        shape = [d.dim_value or 1 for d in kind.shape.dim]
        dtype = onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type)
        feed[value.name] = rng.standard_normal(shape).astype(dtype)
    return feed


def lamina_engine(path: str) -> harness.Timed:
    import lamina

    model = lamina.onnx.load(path, device="cpu")
    feed = _feed(path)
    return lambda: model.run(feed)


def ort_engine(path: str) -> harness.Timed:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = int(os.environ["OMP_NUM_THREADS"])
    options.log_severity_level = 3
    session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    feed = _feed(path)
    return lambda: session.run(None, feed)


ENGINES = {"lamina": lamina_engine, "onnxruntime": ort_engine}


def difference(path: str) -> float:
    """The largest difference over the largest output."""
    import numpy as np
    import onnxruntime as ort

    import lamina

    feed = _feed(path)
    ours = list(lamina.onnx.load(path, device="cpu").run(feed).values())
    options = ort.SessionOptions()
    options.log_severity_level = 3
    theirs = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"]).run(None, feed)
    pairs = zip(ours, theirs, strict=True)
    return max(float(np.abs(a.astype(float) - b.astype(float)).max() / np.abs(b).max()) for a, b in pairs)


def main() -> None:
    options = harness.arguments(__doc__ or "")
    paths = {name: str(DATA / file) for name, file in MODELS.items()}
    for name, path in paths.items():
        print(f"{name}: outputs differ by {difference(path):.1e} relative")
    for threads in options.threads:
        rows = [
            (
                name,
                harness.compare(
                    __file__, list(ENGINES), {"path": path}, threads=threads, rounds=options.rounds
                ),
            )
            for name, path in paths.items()
        ]
        harness.table(f"models, batch 1, {threads} thread(s)", rows)


if __name__ == "__main__":
    main()
