"""Ops by index, place by place."""

from __future__ import annotations

import numpy as np


def moved_vjp(move, gy, *arrays):
    """The gradients of an op that only moves elements: it is run on their numbers.

    Args:
        move: The op; it keeps values as they are, but may add others (< 0 is one that came from nowhere).
        gy: Gradient of its output.
        *arrays: Its inputs.
    """
    starts = np.cumsum([0, *(a.size for a in arrays)])
    numbers = [
        np.arange(start, start + a.size, dtype=np.float64).reshape(a.shape)
        for start, a in zip(starts, arrays, strict=False)
    ]
    origin = move(*numbers)
    flat = np.zeros(starts[-1])
    for at in np.ndindex(origin.shape):
        if origin[at] >= 0:
            flat[int(origin[at])] += gy[at]
    return tuple(
        flat[start : start + a.size].reshape(a.shape) for start, a in zip(starts, arrays, strict=False)
    )


def gather(x, index, dim):
    out = np.empty(index.shape, x.dtype)
    for at in np.ndindex(index.shape):
        source = list(at)
        source[dim] = int(index[at])
        out[at] = x[tuple(source)]
    return out


def take(x, index, dim):
    before, after = x.shape[:dim], x.shape[dim + 1 :]
    out = np.empty((*before, *index.shape, *after), x.dtype)
    for at in np.ndindex(index.shape):
        out[(slice(None),) * dim + at] = x[(slice(None),) * dim + (int(index[at]),)]
    return out


def scatter_add(x, index, source, dim):
    out = x.astype(np.float64)
    for at in np.ndindex(index.shape):
        target = list(at)
        target[dim] = int(index[at]) % x.shape[dim]
        out[tuple(target)] += source[at]
    return out


def scatter_reduce(x, index, source, dim, reduce):
    join = {"sum": np.add, "prod": np.multiply, "amax": np.maximum, "amin": np.minimum}[reduce]
    out = x.copy()
    for at in np.ndindex(index.shape):
        target = list(at)
        target[dim] = int(index[at]) % x.shape[dim]
        out[tuple(target)] = join(out[tuple(target)], source[at])
    return out


def scatter(x, index, source, dim):
    out = x.copy()
    for at in np.ndindex(index.shape):
        target = list(at)
        target[dim] = int(index[at]) % x.shape[dim]
        out[tuple(target)] = source[at]
    return out


def extreme_vjp(gy, x, index, source, dim, reduce):
    """All that are equal to the extreme of a place share its gradient."""
    y = scatter_reduce(x, index, source, dim, reduce)
    places = {}
    for at in np.ndindex(x.shape):
        places[at] = [("x", at)] if x[at] == y[at] else []
    for at in np.ndindex(index.shape):
        target = list(at)
        target[dim] = int(index[at]) % x.shape[dim]
        if source[at] == y[tuple(target)]:
            places[tuple(target)].append(("source", at))
    gradients = {"x": np.zeros_like(x), "source": np.zeros_like(source)}
    for target, equal in places.items():
        for name, at in equal:
            gradients[name][at] += gy[target] / len(equal)
    return gradients["x"], gradients["source"]


def one_hot(index, count):
    out = np.zeros((*index.shape, count))
    for at in np.ndindex(index.shape):
        if 0 <= index[at] < count:
            out[(*at, int(index[at]))] = 1.0
    return out


def sort(x, dim, descending):
    """Stable; ties keep their order in either direction."""
    order = np.argsort(-x if descending else x, axis=dim, kind="stable")
    return np.take_along_axis(x, order, dim), order


def topk(x, k, dim, largest):
    values, order = sort(x, dim, largest)
    first = [slice(None)] * x.ndim
    first[dim] = slice(0, k)
    return values[tuple(first)], order[tuple(first)]


def cross_entropy(logits, target, reduction="mean"):
    """(batch, classes, *) and (batch, *), place by place."""
    out = np.empty(target.shape)
    for at in np.ndindex(target.shape):
        row = logits[(at[0], slice(None), *at[1:])]
        top = row.max()
        out[at] = top + np.log(np.exp(row - top).sum()) - row[int(target[at])]
    return {"mean": np.mean, "sum": np.sum, "none": np.asarray}[reduction](out)


def cross_entropy_vjp(gy, logits, target, reduction="mean"):
    """softmax - one-hot, times the share of each place."""
    out = np.empty_like(logits)
    count = target.size if reduction == "mean" else 1
    for at in np.ndindex(target.shape):
        where = (at[0], slice(None), *at[1:])
        row = np.exp(logits[where] - logits[where].max())
        row /= row.sum()
        row[int(target[at])] -= 1.0
        out[where] = row * (gy[at] if reduction == "none" else gy / count)
    return (out,)


def nms(boxes, scores, iou_threshold=0.5, score_threshold=None, max_output=None, group=None):
    """One by one in falling score order, lower index first among equals."""
    boxes = np.asarray(boxes, np.float64)
    low = np.minimum(boxes[:, :2], boxes[:, 2:])
    high = np.maximum(boxes[:, :2], boxes[:, 2:])
    kept = []
    for i in np.argsort(-np.asarray(scores, np.float64), kind="stable"):
        if score_threshold is not None and not scores[i] > score_threshold:
            continue
        clear = True
        for j in kept:
            if group is not None and group[i] != group[j]:
                continue
            shared = np.prod(np.maximum(np.minimum(high[i], high[j]) - np.maximum(low[i], low[j]), 0))
            union = np.prod(high[i] - low[i]) + np.prod(high[j] - low[j]) - shared
            if union > 0 and shared / union > iou_threshold:
                clear = False
                break
        if clear:
            kept.append(int(i))
    return np.array(kept[:max_output], np.int64)
