"""Resizing of (batch, channels, height, width), by ONNX's definitions."""

from __future__ import annotations

import math

import numpy as np


def source(at, scale, length, new_length, mode):
    """The place in the input that an output index reads."""
    if mode == "half_pixel":
        return (at + 0.5) / scale - 0.5
    if mode == "pytorch_half_pixel":
        return (at + 0.5) / scale - 0.5 if new_length > 1 else 0.0
    if mode == "align_corners":
        return at * (length - 1) / (new_length - 1) if new_length > 1 else 0.0
    return at / scale  # asymmetric


def _nearest(place, mode):
    if mode == "floor":
        return math.floor(place)
    if mode == "ceil":
        return math.ceil(place)
    down = math.floor(place)
    if mode == "round_prefer_floor":
        return down if place - down <= 0.5 else down + 1
    return down if place - down < 0.5 else down + 1


def _cubic(t, a=-0.75):
    """Weights of the four pixels around (Keys 1981)."""
    near = [(a + 2) * d**3 - (a + 3) * d**2 + 1 for d in (t, 1 - t)]
    far = [a * d**3 - 5 * a * d**2 + 8 * a * d - 4 * a for d in (1 + t, 2 - t)]
    return [far[0], near[0], near[1], far[1]]


def _axis(x, axis, new_length, scale, mode, coordinates, nearest):
    length = x.shape[axis]
    columns = []
    for at in range(new_length):
        place = source(at, scale, length, new_length, coordinates)
        if mode == "nearest":
            taps = {_nearest(place, nearest): 1.0}
            pairs = list(taps.items())
        elif mode == "linear":
            place = min(max(place, 0.0), length - 1.0)
            down = min(math.floor(place), length - 1)
            pairs = [(down, 1 - (place - down)), (down + 1, place - down)]
        else:
            down = math.floor(place)
            pairs = list(zip(range(down - 1, down + 3), _cubic(place - down), strict=True))
        column = sum(w * np.take(x, min(max(i, 0), length - 1), axis) for i, w in pairs)
        columns.append(column)
    return np.stack(columns, axis)


def resize(x, size=None, scales=None, mode="nearest", coordinates="half_pixel", nearest="round_prefer_floor"):
    """One axis after the other."""
    for axis in (2, 3):
        length = x.shape[axis]
        new = size[axis - 2] if size is not None else math.floor(length * scales[axis - 2])
        scale = scales[axis - 2] if scales is not None else new / length
        x = _axis(x, axis, new, scale, mode, coordinates, nearest)
    return x
