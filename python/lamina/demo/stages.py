"""The demo from data to picture, stage by stage."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import lamina
from lamina import nn, pictures
from lamina._lamina import write_file
from lamina.decoders import Detections, nms
from lamina.demo import network
from lamina.demo.network import DIGIT, MARGIN, PAPER, STRIDE
from lamina.demo.page import Page, framed, scatter, windows

Array = npt.NDArray[Any]

EPOCHS = 20
WANTED_ACCURACY = 0.98
WANTED_FOUND = 0.95


@dataclass
class Report:
    """What the demo found.

    Attributes:
        device: Where it computed.
        accuracy: Share of held-out digits read right.
        digits: How many digits are on the page.
        found: Share of them found at their place and read right.
        wrong: Boxes without a digit or with the wrong label.
        seconds: By stage.
        passed: Whether accuracy and found reach what is wanted of them.
    """

    device: str
    accuracy: float = 0.0
    digits: int = 0
    found: float = 0.0
    wrong: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    passed: bool = False

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Times a block."""
        start = time.perf_counter()
        yield
        self.seconds[name] = round(time.perf_counter() - start, 3)


def run(
    out: Path,
    device: str = "cpu",
    advance: Callable[[float], None] = lambda _: None,
    epochs: int = EPOCHS,
) -> Report:
    """Train, save as ONNX, load it, find digits on a page; write page.png and report.json.

    Args:
        out: A folder, made if need be.
        device: Where to compute.
        advance: Called after each epoch with its mean loss.
        epochs: Of training.

    Returns:
        The report, also in `out/report.json`.
    """
    out.mkdir(parents=True, exist_ok=True)
    report = Report(device)
    lamina.manual_seed(0)
    rng = np.random.default_rng(0)

    with report.stage("data"):
        (images, labels), (held_images, held_labels) = _digits(rng)

    with report.stage("train"):
        net = network.build().to(device)

        def batches() -> tuple[Array, Array]:
            order = rng.permutation(len(images))
            return windows(scatter(images[order], labels[order], (480, 480), rng), rng)

        network.train(net, batches, epochs, device, advance)
        report.accuracy = network.accuracy(net, framed(held_images), held_labels, device)

    model_path = out / "digits.onnx"
    with report.stage("export"):
        example = lamina.tensor(framed(held_images[:1]), device=device)
        finder = nn.Sequential(net, nn.Softmax(dim=1))
        lamina.onnx.save(finder, example, model_path, dynamic={"x": {0: "N", 2: "H", 3: "W"}})

    with report.stage("load"):
        model = lamina.onnx.load(model_path, device=device)

    page = scatter(held_images[:100], held_labels[:100], (160, 240), rng)
    with report.stage("find"):
        name = model.outputs[0].name
        scores = model.run({model.inputs[0].name: page.ink[None, None]})[name]

    with report.stage("decode"):
        detections = decode(scores, device)
        right = matches(page, detections)

    report.digits = len(page.labels)
    report.found = len(set(right[right >= 0])) / max(report.digits, 1)
    report.wrong = int((right < 0).sum())
    report.passed = report.accuracy >= WANTED_ACCURACY and report.found >= WANTED_FOUND
    with report.stage("draw"):
        from lamina.demo.draw import draw

        pictures.write(draw(page, detections, right), out / "page.png")
    write_file(out / "report.json", (json.dumps(asdict(report), indent=2) + "\n").encode())
    return report


def _digits(rng: np.random.Generator) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """scikit-learn's 1,797 digits, three quarters to learn from, the rest held out."""
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise lamina.ArgumentError(
            "the demo's digits come with scikit-learn: pip install 'lamina[demo]'"
        ) from error
    data = load_digits()
    images = (data.images / 16.0).astype(np.float32)
    labels = data.target.astype(np.int64)
    order = rng.permutation(len(images))
    held, learned = order[: len(order) // 4], order[len(order) // 4 :]
    return (images[learned], labels[learned]), (images[held], labels[held])


def decode(scores: Array, device: str, threshold: float = 0.6) -> Detections:
    """Boxes from the class probabilities at every place, overlaps removed.

    Args:
        scores: (1, 11, rows, columns).
        device: Where to compute.
        threshold: The least probability of a digit.

    Returns:
        8 x 8 boxes in page pixels with digits as labels.
    """
    _, classes, rows, columns = scores.shape
    flat = scores[0].reshape(classes, -1)
    labels = flat[:PAPER].argmax(0)
    best = flat[:PAPER].max(0)
    top, left = (axis.reshape(-1) * STRIDE + MARGIN for axis in np.mgrid[:rows, :columns])
    boxes = np.stack([left, top, left + DIGIT, top + DIGIT], 1).astype(np.float32)
    kept = nms(
        lamina.tensor(boxes, device=device),
        lamina.tensor(np.ascontiguousarray(best), device=device),
        iou_threshold=0.1,
        score_threshold=threshold,
    ).numpy()
    return Detections(boxes[kept], best[kept], labels[kept].astype(np.int64), kept)


def matches(page: Page, detections: Detections) -> Array:
    """For each detection, the page's digit that it found and read right, or -1.

    A digit is found by a box of IoU 0.5 or more with it: for two 8 x 8 boxes
    shifted by (dy, dx), (8 - dy)(8 - dx) / (128 - (8 - dy)(8 - dx)).
    """
    right = np.full(len(detections), -1)
    taken: set[int] = set()
    for at, (left, top, *_) in enumerate(detections.boxes):
        apart = np.abs(page.corners - np.array([top, left]))
        shared = np.prod(np.maximum(DIGIT - apart, 0), axis=1)
        overlap = shared / (2 * DIGIT * DIGIT - shared)
        best = int(overlap.argmax())
        same = detections.labels is not None and page.labels[best] == detections.labels[at]
        if overlap[best] >= 0.5 and same and best not in taken:
            right[at] = best
            taken.add(best)
    return right
