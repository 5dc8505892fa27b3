"""Scaled dot-product attention as it is written out; a CPU runs it as one op."""

import numpy as np
import pytest

import lamina
from helpers import compare, normal
from lamina import ops
from oracle import attention as oracle


def written_out(scale="times", by=0.3, mask=None):
    def run(q, k, v):
        q = q * by if scale == "query" else q
        scores = q @ k.mT
        if scale == "times":
            scores = scores * by
        if scale == "over":
            scores = scores / (1 / by)
        if mask is not None:
            scores = scores + lamina.tensor(mask.astype(np.float32), device=q.device)
        return ops.softmax(scores, dim=-1) @ v

    return run


def operands(*lead, rows=33, keys=37, depth=16, values=20):
    return [
        normal(*lead, rows, depth),
        normal(*lead, keys, depth, seed=1),
        normal(*lead, keys, values, seed=2),
    ]


def hidden(*shape):
    """A mask of zeros and -inf; in the last row, where there is one, no key is seen."""
    mask = np.where(normal(*shape, seed=3) > 0.5, -np.inf, normal(*shape, seed=4))
    if shape[-2] > 1:
        mask[..., -1, :] = -np.inf
    return mask


def steps(run, arrays):
    tensors = [lamina.tensor(a.astype(np.float32)) for a in arrays]
    return [step.op for step in lamina.explain(run(*tensors)).steps]


FORMS = [
    ((2, 3), "times", None),
    ((2, 3), "over", None),
    ((2, 3), "query", None),
    ((2, 3), "none", None),
    ((5,), "times", None),
    ((), "over", None),
    ((2, 3), "times", (2, 3, 33, 37)),
    ((2, 3), "over", (2, 1, 1, 37)),
    ((1, 3), "times", (1, 1, 1, 37)),
    ((2, 3), "over", (33, 37)),
    ((2, 3), "none", (1, 3, 33, 1)),
    ((4,), "query", (33, 37)),
]


@pytest.mark.parametrize(("lead", "scale", "mask"), FORMS, ids=str)
def test_attention(device, lead, scale, mask):
    arrays = operands(*lead)
    mask = None if mask is None else hidden(*mask)
    by = 1.0 if scale == "none" else 0.3
    run = written_out(scale, by, mask)
    given = {"scale": by, "mask": 0.0 if mask is None else mask}
    compare(run, arrays, device, lambda *a: oracle.attention(*a, **given))
    # A gradient reads the weights, which are computed for it.
    if mask is None:
        compare(
            run,
            arrays,
            device,
            lambda *a: oracle.attention(*a, **given),
            lambda *a: oracle.attention_vjp(*a, **given),
        )
    assert "attention" in steps(run, arrays)
    assert "softmax" not in steps(run, arrays)


@pytest.mark.parametrize("keys", [1, 384, 1000, 3000])
def test_many_keys(device, keys):
    arrays = operands(2, 2, rows=40, keys=keys)
    compare(written_out(), arrays, device, lambda *a: oracle.attention(*a, scale=0.3))


def test_heads_side_by_side():
    # As layers hold them: no copy before, none after.
    batch, rows, heads, depth = 2, 40, 3, 16
    arrays = [normal(batch, rows, heads * depth, seed=seed) for seed in range(3)]

    def run(q, k, v):
        q, k, v = (x.reshape(batch, rows, heads, depth).permute(0, 2, 1, 3) for x in (q, k, v))
        return written_out()(q, k, v).permute(0, 2, 1, 3).reshape(batch, rows, heads * depth)

    def want(*arrays):
        q, k, v = (x.reshape(batch, rows, heads, depth).transpose(0, 2, 1, 3) for x in arrays)
        y = oracle.attention(q, k, v, scale=0.3)
        return y.transpose(0, 2, 1, 3).reshape(batch, rows, heads * depth)

    compare(run, arrays, "cpu", want)
    assert steps(run, arrays) == ["attention"]


def test_what_is_wanted_besides_is_computed():
    q, k, v = (lamina.tensor(x.astype(np.float32)) for x in operands(2))
    scores = q @ k.mT
    weights = ops.softmax(scores, dim=-1)
    y = weights @ v
    for also in (scores, weights):
        assert "attention" not in [step.op for step in lamina.explain(y, also).steps]


def test_near_misses_stay_as_they_are():
    square = operands(2, rows=16, keys=16, values=16)
    misses = [
        lambda q, k, v: ops.softmax(q @ k.mT, dim=-2) @ v,
        lambda q, k, v: v @ ops.softmax(q @ k.mT, dim=-1),
        lambda q, k, v: ops.softmax(ops.relu(q @ k.mT), dim=-1) @ v,
        lambda q, k, v: ops.log_softmax(q @ k.mT, dim=-1) @ v,
    ]
    for run in misses:
        assert "attention" not in steps(run, square)
    # A few rows read keys and values where they are.
    assert "attention" not in steps(written_out(), operands(2, rows=7))
