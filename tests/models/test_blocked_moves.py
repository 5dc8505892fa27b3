"""What moves pixels between convolutions in blocks of channels on the CPU: values and gradients against the
oracle, and that nothing is reordered there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

import lamina
from lamina import Tensor, nn, ops
from oracle import product, resize

pytestmark = pytest.mark.filterwarnings("error")

BATCH, CHANNELS, HEIGHT, WIDTH = 6, 56, 33, 30


@dataclass(frozen=True)
class Move:
    """A move of pixels; in float64 a matrix (new, old) along each axis."""

    apply: Callable[[Tensor], Tensor]
    rows: np.ndarray
    columns: np.ndarray
    channels: range = range(CHANNELS)

    def forward(self, x: np.ndarray) -> np.ndarray:
        return np.einsum("ncyx,iy,jx->ncij", x[:, self.channels], self.rows, self.columns)

    def back(self, gy: np.ndarray) -> np.ndarray:
        gx = np.zeros((BATCH, CHANNELS, HEIGHT, WIDTH))
        gx[:, self.channels] = np.einsum("ncij,iy,jx->ncyx", gy, self.rows, self.columns)
        return gx


def picked(length: int, index: np.ndarray) -> np.ndarray:
    return np.eye(length)[index]


def padded(length: int, before: int, after: int, mode: str) -> np.ndarray:
    if mode == "constant":
        return np.pad(np.eye(length), [(before, after), (0, 0)])
    return picked(length, np.pad(np.arange(length), (before, after), mode=mode))


def pad(mode: str) -> Move:
    return Move(
        lambda x: ops.pad(x, [(0, 0), (0, 0), (2, 1), (0, 3)], mode=mode),
        padded(HEIGHT, 2, 1, mode),
        padded(WIDTH, 0, 3, mode),
    )


def resampled(size: tuple[int, int], mode: str) -> Move:
    def matrix(length: int, new: int) -> np.ndarray:
        return resize.resize(np.eye(length)[None, None], size=(new, length), mode=mode)[0, 0]

    return Move(lambda x: ops.resize(x, size, mode=mode), matrix(HEIGHT, size[0]), matrix(WIDTH, size[1]))


rows, columns = np.arange(HEIGHT), np.arange(WIDTH)

MOVES: dict[str, Move] = {
    "constant borders": pad("constant"),
    "mirrored borders": pad("reflect"),
    "repeated borders": pad("edge"),
    "cut borders": Move(
        lambda x: ops.pad(x, [(0, 0), (0, 0), (-1, 2), (0, -3)]),
        padded(HEIGHT, 0, 2, "constant")[1:],
        np.eye(WIDTH)[:-3],
    ),
    "every second row": Move(lambda x: x[:, :, 1::2, 3:20], picked(HEIGHT, rows[1::2]), np.eye(WIDTH)[3:20]),
    "upside down": Move(lambda x: x[:, :, ::-1, -2:0:-3], np.eye(HEIGHT)[::-1], np.eye(WIDTH)[-2:0:-3]),
    "first blocks": Move(lambda x: x[:, :32], np.eye(HEIGHT), np.eye(WIDTH), range(32)),
    "last blocks": Move(lambda x: x[:, 16:, 1:], np.eye(HEIGHT)[1:], np.eye(WIDTH), range(16, CHANNELS)),
    "nearest, larger": resampled((66, 60), "nearest"),
    "nearest, smaller": resampled((20, 31), "nearest"),
    "linear, larger": resampled((66, 45), "linear"),
    "linear, smaller": resampled((20, 17), "linear"),
    "cubic": resampled((40, 25), "cubic"),
}


def drawn(*shapes: tuple[int, ...]) -> list[np.ndarray]:
    rng = np.random.default_rng(len(shapes))
    return [rng.standard_normal(shape).astype("f") for shape in shapes]


def steps_of(*tensors: Tensor) -> list[str]:
    return [step.op for step in lamina.explain(*tensors).steps]


def close(got: Tensor, want: np.ndarray) -> None:
    assert got.shape == want.shape
    assert np.abs(got.numpy() - want).max() <= 1e-5 * np.abs(want).max()


@pytest.mark.parametrize("name", MOVES)
def test_moves_between_convolutions_stay_in_blocks(name: str) -> None:
    move = MOVES[name]
    x, first, last = drawn((BATCH, 3, HEIGHT, WIDTH), (CHANNELS, 3, 3, 3), (40, len(move.channels), 1, 1))
    weights = [nn.Parameter(lamina.tensor(w)) for w in (first, last)]
    y = ops.conv2d(move.apply(ops.tanh(ops.conv2d(lamina.tensor(x), weights[0], padding=1))), weights[1])
    hidden = np.tanh(product.conv(x.astype(float), first.astype(float), None, padding=1))
    moved = move.forward(hidden)
    want = product.conv(moved, last.astype(float))
    (gy,) = drawn(want.shape)
    found = lamina.grad((y * lamina.tensor(gy)).sum(), weights)
    # The result leaves; what enters is the loss's gradient.
    assert steps_of(y).count("reorder") == 1
    assert steps_of(*found).count("reorder") == 1
    close(y, want)
    back, to_last, *_ = product.conv_vjp(gy.astype(float), moved, last.astype(float))
    back = move.back(back) * (1 - hidden**2)
    to_first = product.conv_vjp(back, x.astype(float), first.astype(float), None, padding=1)[1]
    close(found[0], to_first)
    close(found[1], to_last)


def test_a_neck_stays_in_blocks() -> None:
    """A small image, resampled, beside a large one, as in detectors; and the halves of what comes of it."""
    x, fine, coarse, last, half = drawn(
        (2, 3, 48, 40), (32, 3, 3, 3), (64, 32, 3, 3), (64, 96, 1, 1), (24, 32, 3, 3)
    )
    above = ops.relu(ops.conv2d(lamina.tensor(x), lamina.tensor(fine), padding=1))
    below = ops.relu(ops.conv2d(above, lamina.tensor(coarse), stride=2, padding=1))
    both = ops.concat([ops.resize(below, scales=(2.0, 2.0)), above], 1)
    mixed = ops.conv2d(both, lamina.tensor(last))
    left, right = mixed[:, :32], mixed[:, 32:]
    y = ops.concat([left, ops.conv2d(right, lamina.tensor(half), padding=1)], 1)
    assert steps_of(y).count("reorder") == 1

    x, fine, coarse, last, half = (v.astype(float) for v in (x, fine, coarse, last, half))
    above = np.maximum(product.conv(x, fine, padding=1), 0)
    below = np.maximum(product.conv(above, coarse, stride=2, padding=1), 0)
    both = np.concatenate([resize.resize(below, scales=(2, 2)), above], 1)
    mixed = product.conv(both, last)
    close(y, np.concatenate([mixed[:, :32], product.conv(mixed[:, 32:], half, padding=1)], 1))


def test_channels_that_end_inside_a_block_are_reordered_there_alone() -> None:
    """36 channels leave a block part empty, into which those of the next tensor cannot go."""
    x, left, right, last = drawn((2, 3, 48, 40), (36, 3, 5, 5), (40, 3, 5, 5), (32, 76, 3, 3))
    image = lamina.tensor(x)
    tensors = [ops.conv2d(image, lamina.tensor(w), padding=2) for w in (left, right)]
    y = ops.conv2d(ops.concat([ops.tanh(t) for t in tensors], 1), lamina.tensor(last), padding=1)
    found = steps_of(y)
    at = found.index("concat")
    # Both before it, the whole after it, and the result.
    assert [found[:at].count("reorder"), found[at:].count("reorder")] == [2, 2]
    parts = [np.tanh(product.conv(x.astype(float), w.astype(float), padding=2)) for w in (left, right)]
    close(y, product.conv(np.concatenate(parts, 1), last.astype(float), padding=1))
