"""Images read at places and in regions, position by position; determinants."""

from __future__ import annotations

import itertools
import math

import numpy as np


def _reflect(at, length, align_corners):
    low, high = (0.0, length - 1.0) if align_corners else (-0.5, length - 0.5)
    if high == low:
        return 0.0
    while at < low or at > high:
        at = 2 * low - at if at < low else 2 * high - at
    return at


def _pad(at, length, padding, align_corners):
    """A place after padding."""
    if padding == "zeros":
        return at
    if padding == "reflection":
        at = _reflect(at, length, align_corners)
    return min(max(at, 0.0), length - 1.0)


def _keys(distance, a=-0.75):
    """Keys' cubic convolution kernel (1981)."""
    d = abs(distance)
    if d <= 1:
        return (a + 2) * d**3 - (a + 3) * d**2 + 1
    return a * d**3 - 5 * a * d**2 + 8 * a * d - 4 * a if d < 2 else 0.0


def _taps(coordinate, length, mode, padding, align_corners):
    """The elements of an axis that a coordinate reads, with their weights."""
    if math.isnan(coordinate) or (padding == "reflection" and math.isinf(coordinate)):
        coordinate = -1.0
    coordinate = min(max(coordinate, -1e9), 1e9)
    first, last = (0.0, length - 1.0) if align_corners else (-0.5, length - 0.5)
    at = first + (coordinate + 1) / 2 * (last - first)
    if mode == "bicubic":
        low = math.floor(at)
        pairs = [
            (_pad(float(k), length, padding, align_corners), _keys(at - k)) for k in range(low - 1, low + 3)
        ]
    else:
        at = _pad(at, length, padding, align_corners)
        low = math.floor(at)
        pairs = [(float(round(at)), 1.0)] if mode == "nearest" else [(low, 1 + low - at), (low + 1, at - low)]
    return [(int(k), weight) for k, weight in pairs if 0 <= k < length]


def grid_sample(x, grid, mode="bilinear", padding="zeros", align_corners=False):
    """PyTorch's definition, for any number of axes."""
    y = np.zeros((*x.shape[:2], *grid.shape[1:-1]), x.dtype)
    for n in range(len(x)):
        for position in np.ndindex(*grid.shape[1:-1]):
            axes = [
                _taps(float(c), length, mode, padding, align_corners)
                for c, length in zip(grid[n][position][::-1], x.shape[2:], strict=True)
            ]
            for taps in itertools.product(*axes):
                weight = math.prod(w for _, w in taps)
                value = x[(n, slice(None), *(k for k, _ in taps))]
                y[(n, slice(None), *position)] += value if mode == "nearest" else weight * value
    return y


def grid_sample_vjp(gy, x, grid, mode="bilinear", padding="zeros", align_corners=False, step=1e-6):
    """By the input as the sampler is linear in it; by the grid by differences."""
    form = (mode, padding, align_corners)
    dx = np.zeros_like(x)
    for n in range(len(x)):
        for position in np.ndindex(*grid.shape[1:-1]):
            axes = [
                _taps(float(c), length, *form)
                for c, length in zip(grid[n][position][::-1], x.shape[2:], strict=True)
            ]
            for taps in itertools.product(*axes):
                weight = math.prod(w for _, w in taps)
                dx[(n, slice(None), *(k for k, _ in taps))] += weight * gy[(n, slice(None), *position)]
    dgrid = np.zeros_like(grid)
    for axis in range(grid.shape[-1]):
        moved = np.zeros_like(grid)
        moved[..., axis] = step
        slope = (grid_sample(x, grid + moved, *form) - grid_sample(x, grid - moved, *form)) / (2 * step)
        dgrid[..., axis] = np.sum(gy * slope, axis=1)
    return [dx, dgrid]


def affine_grid(theta, size, align_corners=False):
    """theta on every position (x, y, .., 1)."""
    axes = size[2:]
    grid = np.zeros((size[0], *axes, len(axes)))
    for position in np.ndindex(*axes):
        places = []
        for i, n in zip(position, axes, strict=True):
            if align_corners:
                places.append(2 * i / (n - 1) - 1 if n > 1 else 0.0)
            else:
                places.append((2 * i + 1) / n - 1)
        grid[(slice(None), *position)] = theta @ np.array([*places[::-1], 1.0])
    return grid


def _samples(start, length, bins, ratio, size):
    """For each bin the weights of its samples on each element of an axis, one row a sample."""
    step = length / bins
    count = ratio if ratio > 0 else max(math.ceil(step), 0)
    found = np.zeros((bins, count, size))
    for b, i in np.ndindex(bins, count):
        at = start + b * step + (i + 0.5) * step / count
        if at < -1 or at > size:
            continue
        at = max(at, 0.0)
        low = min(int(at), size - 1)
        high = min(low + 1, size - 1)
        part = at - low if high > low else 0.0
        found[b, i, low] += 1 - part
        found[b, i, high] += part
    return found


def roi_weights(shape, box, output, scale=1.0, ratio=-1, aligned=False):
    """(rows, height) and (columns, width): a bin's mean is their product with the image."""
    offset = 0.5 if aligned else 0.0
    parts = []
    for axis in (0, 1):
        start, end = box[1 - axis] * scale - offset, box[3 - axis] * scale - offset
        if not (np.isfinite(start) and np.isfinite(end)):
            parts.append(np.zeros((output[axis], shape[axis])))
            continue
        length = end - start if aligned else max(end - start, 1.0)
        samples = _samples(start, length, output[axis], ratio, shape[axis])
        parts.append(samples.sum(axis=1) / max(samples.shape[1], 1))
    return parts


def roi_align(x, boxes, output, scale=1.0, ratio=-1, aligned=False):
    """torchvision's definition."""
    y = np.zeros((len(boxes), x.shape[1], *output))
    for k, (n, *box) in enumerate(boxes):
        rows, columns = roi_weights(x.shape[2:], box, output, scale, ratio, aligned)
        y[k] = rows @ x[int(n)] @ columns.T
    return y


def roi_align_vjp(gy, x, boxes, output, scale=1.0, ratio=-1, aligned=False):
    """By the input."""
    dx = np.zeros_like(x)
    for k, (n, *box) in enumerate(boxes):
        rows, columns = roi_weights(x.shape[2:], box, output, scale, ratio, aligned)
        dx[int(n)] += rows.T @ gy[k] @ columns
    return [dx]


def _bins(low, high, bins, size):
    """The elements of each bin."""
    if not (np.isfinite(low) and np.isfinite(high)):
        return [(0, 0)] * bins
    start, end = (int(math.copysign(math.floor(abs(v) + 0.5), v)) for v in (low, high))
    length = max(end - start + 1, 1)
    cut = [(start + b * length // bins, start - (-(b + 1) * length // bins)) for b in range(bins)]
    return [(min(max(a, 0), size), min(max(b, 0), size)) for a, b in cut]


def _roi_bins(x, boxes, output, scale):
    for k, (n, x1, y1, x2, y2) in enumerate(boxes):
        rows = _bins(y1 * scale, y2 * scale, output[0], x.shape[2])
        columns = _bins(x1 * scale, x2 * scale, output[1], x.shape[3])
        for (i, (top, bottom)), (j, (left, right)) in itertools.product(enumerate(rows), enumerate(columns)):
            if top < bottom and left < right:
                yield (k, i, j), (int(n), slice(top, bottom), slice(left, right))


def roi_pool(x, boxes, output, scale=1.0):
    """torchvision's definition."""
    y = np.zeros((len(boxes), x.shape[1], *output))
    for (k, i, j), (n, rows, columns) in _roi_bins(x, boxes, output, scale):
        y[k, :, i, j] = x[n, :, rows, columns].max(axis=(1, 2))
    return y


def roi_pool_vjp(gy, x, boxes, output, scale=1.0):
    """By the input: to the first largest."""
    dx = np.zeros_like(x)
    for (k, i, j), (n, rows, columns) in _roi_bins(x, boxes, output, scale):
        for c in range(x.shape[1]):
            part = x[n, c, rows, columns]
            row, column = np.unravel_index(np.argmax(part), part.shape)
            dx[n, c, rows.start + row, columns.start + column] += gy[k, c, i, j]
    return [dx]


def det_vjp(gy, x):
    """The cofactors, minor by minor."""
    dx = np.zeros_like(x)
    n = x.shape[-1]
    for i, j in np.ndindex(n, n):
        minor = np.delete(np.delete(x, i, axis=-2), j, axis=-1)
        dx[..., i, j] = (-1) ** (i + j) * np.linalg.det(minor) * gy
    return [dx]
