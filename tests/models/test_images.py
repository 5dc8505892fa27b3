"""Batches that run image by image: values against ONNX Runtime, the same bits
however many threads share the images, and which steps do, by what is said."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest

import lamina
from lamina import Tensor, nn, ops

pytestmark = pytest.mark.filterwarnings("error")

SIDE = 64


class Net(nn.Module):
    """Branches that meet again, a factor for each channel, and two results."""

    def __init__(self) -> None:
        self.stem = nn.Conv2d(3, 32, 3, padding=1)
        self.left = nn.Conv2d(32, 32, 3, padding=1)
        self.right = nn.Conv2d(32, 32, 1)
        self.squeeze = nn.Conv2d(64, 64, 1)
        self.last = nn.Conv2d(64, 32, 3, padding=1, stride=2)
        self.head = nn.Linear(32, 7)

    def forward(self, x: Tensor) -> Any:
        x = ops.relu(self.stem(x))
        pooled = ops.max_pool2d(x, 3, stride=1, padding=1)
        both = ops.concat([ops.relu(self.left(x)) + pooled, ops.leaky_relu(self.right(x), 0.1)], 1)
        factor = ops.sigmoid(self.squeeze(both.mean((2, 3), keepdim=True)))
        y = ops.tanh(self.last(both * factor))
        return y, self.head(y.mean((2, 3)))


class Encoder(nn.Module):
    """A sequence for an image: products, a norm and attention written out."""

    def __init__(self) -> None:
        self.first = nn.Linear(64, 192)
        self.second = nn.Linear(64, 256)
        self.third = nn.Linear(256, 64)
        self.norm = nn.LayerNorm(64)

    def forward(self, x: Tensor) -> Any:
        batch, rows, width = x.shape
        three = self.first(x).reshape((batch, rows, 3, 4, 16)).permute((2, 0, 3, 1, 4))
        query, key, value = three[0], three[1], three[2]
        weights = ops.softmax(query @ key.permute((0, 1, 3, 2)) / 4.0, -1)
        seen = (weights @ value).permute((0, 2, 1, 3)).reshape((batch, rows, width))
        x = self.norm(x + seen)
        return (x + self.third(ops.gelu(self.second(x))),)


NETS = {"net": (Net, (3, SIDE, SIDE)), "encoder": (Encoder, (200, 64))}


@pytest.fixture(autouse=True)
def threads():
    before = lamina.num_threads()
    yield
    lamina.set_num_threads(before)


def model_of(name: str, batch: int, tmp_path: Any) -> tuple[lamina.onnx.Model, Any, np.ndarray]:
    lamina.manual_seed(0)
    make, shape = NETS[name]
    path = tmp_path / "net.onnx"
    lamina.onnx.save(make(), ops.zeros((batch, *shape)), path)
    x = np.random.default_rng(batch).standard_normal((batch, *shape)).astype(np.float32)
    return lamina.onnx.load(path, device="cpu"), ort.InferenceSession(path), x


def results(model: lamina.onnx.Model, x: np.ndarray) -> list[np.ndarray]:
    return list(model.run({"x": x}).values())


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("batch", [7, 16])
def test_values(name, batch, tmp_path):
    model, session, x = model_of(name, batch, tmp_path)
    wanted = session.run(None, {"x": x})
    first = results(model, x)
    for got, want in zip(first, wanted, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5 * np.abs(want).max())
    for count in (1, 2, 3, 5, 32):
        lamina.set_num_threads(count)
        for got, want in zip(results(model, x), first, strict=True):
            np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("name", NETS)
def test_images_that_lie_apart(name, tmp_path):
    model, session, x = model_of(name, 8, tmp_path)
    apart = np.random.default_rng(1).standard_normal((17, *x.shape[1:])).astype(np.float32)
    for given in (apart[::-2][:8], apart[3:11], np.broadcast_to(apart[:1], x.shape)):
        wanted = session.run(None, {"x": given.copy()})
        for got, want in zip(results(model, given), wanted, strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5 * np.abs(want).max())


def test_several_callers(tmp_path):
    model, _, x = model_of("net", 7, tmp_path)
    wanted, wrong = results(model, x), []

    def call() -> None:
        for _ in range(10):
            same = [np.array_equal(a, b) for a, b in zip(results(model, x), wanted, strict=True)]
            if not all(same):
                wrong.append(same)

    callers = [threading.Thread(target=call) for _ in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert not wrong


def test_what_is_said(tmp_path):
    model, _, x = model_of("net", 16, tmp_path)
    plan = model.explain({"x": x})
    alone = [step.images_at_once for step in plan.steps]
    assert alone.count(None) < len(alone) / 2, str(plan)
    assert "image by image" in str(plan) or "images at a time" in str(plan)
    # Few images hold all of what the steps between them need.
    at_once = max(count for count in alone if count)
    assert at_once < 16
    whole = 16 * 64 * SIDE * SIDE * 4
    assert plan.arena_bytes < whole, str(plan)
    profile = model.profile({"x": x}, runs=2)
    assert [step.images_at_once for step in profile.steps] == alone
    assert all(step.seconds > 0 for step in profile.steps)
    assert sum(step.seconds for step in profile.steps) <= profile.total
    # One image, and images so small that all of them lie in the cache, run as they are.
    assert model_of("net", 1, tmp_path)[0].explain({"x": x[:1]}).steps[0].images_at_once is None


def test_recorded():
    """Not only loaded models: what is recorded is planned the same way."""
    lamina.manual_seed(0)
    net = Net()
    x = np.random.default_rng(0).standard_normal((16, 3, SIDE, SIDE)).astype(np.float32)
    with lamina.no_grad():
        wanted = [
            np.concatenate([net(lamina.tensor(x[i : i + 1]))[k].numpy() for i in range(16)]) for k in (0, 1)
        ]
        result = net(lamina.tensor(x))
        assert any(step.images_at_once for step in lamina.explain(*result).steps)
        for got, want in zip(result, wanted, strict=True):
            np.testing.assert_allclose(got.numpy(), want, rtol=1e-5, atol=1e-5)
