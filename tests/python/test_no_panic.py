"""Whatever an op is given, it answers or raises a typed error: a panic is neither."""

import contextlib

import numpy as np
import pytest

import lamina
from helpers import rng
from lamina._lamina import record

NAMES = sorted(str(row["op"]) for row in lamina.op_table())
SHAPES = [(), (0,), (1,), (5,), (2, 3), (3, 2), (0, 3), (1, 2, 4, 5), (2, 2, 3, 3), (2, 1, 1, 1, 2)]
DTYPES = ["float32", "float64", "float16", "int64", "int32", "uint8", "bool"]
KEYWORDS = {
    "dim": [0, -1, 7, [0], [0, 0], None],
    "axes": [[0], [9], [-1, 0]],
    "keepdim": [True, 3],
    "shape": [[2, 3], [-1], [-1, -1], [0], [2**40, 2**40], []],
    "dims": [[1, 0], [0, 0], [5]],
    "dtype": [lamina.int64, "float99"],
    "starts": [[0], [-(2**62)], []],
    "ends": [[3], [2**62]],
    "steps": [[0], [-1]],
    "sizes": [[1], [2, -1]],
    "kernel_size": [[0, 0], [2, 2], [2**31, 1]],
    "stride": [[0, 1], [1, 1]],
    "padding": [[2**40] * 4, "same", "sideways", -1],
    "groups": [0, 2, 2**31],
    "pads": [[1] * 4, [-5] * 4, [2**50] * 4],
    "k": [0, 1, 10**9],
    "num_classes": [0, 3, 10**15],
    "size": [[4, 4], [0, 0], [2**31, 2**31]],
    "scales": [[0.5, 2.0], [float("nan"), -1.0]],
    "mode": ["nearest", "no such mode"],
    "training": [True],
    "negative_slope": [float("inf")],
    "min": [1.0],
    "max": [-1.0],
    "no_such_keyword": [1],
}


@pytest.mark.parametrize("name", NAMES)
def test_any_input(name):
    r = rng(sum(map(ord, name)))
    for _ in range(60):
        inputs = []
        for _ in range(int(r.integers(0, 4))):
            shape = SHAPES[r.integers(len(SHAPES))]
            dtype = DTYPES[r.integers(len(DTYPES))] if r.random() < 0.5 else "float32"
            inputs.append(lamina.tensor((r.standard_normal(shape) * 3).astype(dtype), device="cpu"))
        if r.random() < 0.2:
            inputs.append(1.5)
        params = {}
        for key in r.permutation(list(KEYWORDS))[: r.integers(0, 4)]:
            values = KEYWORDS[key]
            params[str(key)] = values[r.integers(len(values))]
        with contextlib.suppress(lamina.LaminaError):
            out = record(name, inputs, params)
            for tensor in out if isinstance(out, tuple) else (out,):
                if tensor.size <= 10**6:
                    tensor.numpy()


@pytest.mark.parametrize(
    "data",
    [None, object(), "text", b"bytes", [[1], [2, 3]], {"a": 1}, np.array(["a"]), np.array([1 + 2j]), [None]],
    # An object's repr is its address, which differs from worker to worker.
    ids=["none", "object", "text", "bytes", "ragged", "dict", "strings", "complex", "list of none"],
)
def test_data_that_is_none(data):
    with pytest.raises(lamina.LaminaError):
        lamina.tensor(data)


def test_more_memory_than_there_is():
    with pytest.raises(lamina.LaminaError):
        lamina.ops.full((2**40, 2**20), 1.0).numpy()
    with pytest.raises(lamina.OutOfMemoryError):
        lamina.ops.exp(lamina.ops.full((2**42,), 1.0)).numpy()
