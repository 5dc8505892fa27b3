"""Distinct values, and n-grams."""

import numpy as np
import onnx
import onnxruntime
import pytest

import lamina
from helpers import raises, rng
from lamina import ops


def found(x, device, **keywords):
    everything = {"return_index": True, "return_inverse": True, "return_counts": True}
    outputs = ops.unique(lamina.tensor(x, device=device), **everything, **keywords)
    assert all(y.device == device for y in outputs)
    return [y.numpy() for y in outputs]


DTYPES = ["float32", "float16", "int64", "int32", "int16", "int8", "uint8", "uint16", "uint32", "bool"]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(0,), (1,), (64,), (3, 5, 2)])
def test_as_numpy(device, dtype, shape):
    x = rng(1).integers(-3 if dtype[0] in "fi" else 0, 4, shape).astype(dtype)
    got = found(x, device)
    wanted = np.unique(x, return_index=True, return_inverse=True, return_counts=True)
    for have, want in zip(got, wanted, strict=True):
        np.testing.assert_array_equal(have, np.reshape(want, have.shape))
    assert got[0].dtype == x.dtype
    assert got[2].shape == x.shape


@pytest.mark.parametrize("dim", [0, 1, -1])
def test_slices(device, dim):
    x = rng(2).integers(0, 2, (4, 6, 2)).astype(np.float32)
    got = found(x, device, dim=dim)
    wanted = np.unique(x, axis=dim, return_index=True, return_inverse=True, return_counts=True)
    for have, want in zip(got, wanted, strict=True):
        np.testing.assert_array_equal(have, np.reshape(want, have.shape))


@pytest.mark.parametrize("dim", [None, 0])
def test_in_the_order_of_first_places(device, dim):
    x = rng(3).integers(0, 5, (40, 1)).astype(np.int64)
    values, index, inverse, counts = found(x, device, sorted=False, dim=dim)
    assert (np.diff(index) > 0).all()
    np.testing.assert_array_equal(np.ravel(values)[np.ravel(inverse)], np.ravel(x))
    assert sorted(np.ravel(values).tolist()) == np.unique(x).tolist()
    np.testing.assert_array_equal(counts, [(x == v).sum() for v in np.ravel(values)])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_nan_equals_nan_and_zeros_are_one(dtype):
    x = np.array([np.nan, -0.0, 1.0, 0.0, np.nan, -np.inf, np.inf], dtype)
    values, index, inverse, counts = found(x, "cpu")
    np.testing.assert_array_equal(values, np.unique(x))
    assert np.signbit(values[1])
    assert index.tolist() == [5, 1, 2, 6, 0]
    assert inverse.tolist() == [4, 1, 2, 1, 4, 0, 3]
    assert counts.tolist() == [1, 2, 1, 1, 2]


def test_large_integers_stay_apart(device):
    x = np.array([2**62 + 1, 2**62, 2**62 + 1, -(2**63)], np.int64)
    assert found(x, device)[0].tolist() == [-(2**63), 2**62, 2**62 + 1]


def test_what_is_given():
    x = lamina.tensor([3.0, 1.0, 3.0], requires_grad=True)
    values = ops.unique(x)
    assert values.tolist() == [1.0, 3.0]
    assert not values.requires_grad
    raises(
        lamina.IndexError,
        "unique: axis 2 is out of range for 1 axes: wanted -1 to 0",
        lambda: ops.unique(x, dim=2),
    )


# ---- n-grams

POOL = {
    "pool": [2, 3, 5, 4, 5, 6, 7, 8, 6, 7],
    "ngram_counts": [0, 4],
    "ngram_indexes": [0, 2, 1, 3, 5, 4, 6],
}
ROWS = np.array([[1, 1, 3, 3, 3, 7], [8, 6, 7, 5, 6, 8]], np.int64)


def by_onnxruntime(x, **form):
    helper, proto = onnx.helper, onnx.TensorProto
    names = {"pool": "pool_int64s"}
    node = helper.make_node(
        "TfIdfVectorizer", ["x"], ["y"], **{names.get(k, k): v for k, v in form.items() if v != ()}
    )
    graph = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info("x", proto.INT64, x.shape)],
        [helper.make_tensor_value_info("y", proto.FLOAT, None)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 9)], ir_version=6)
    return onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": x})[0]


@pytest.mark.parametrize("mode", ["TF", "IDF", "TFIDF"])
@pytest.mark.parametrize(
    ("shortest", "longest", "skip"), [(1, 1, 0), (2, 2, 0), (1, 2, 3), (2, 2, 5), (1, 1, 9)]
)
def test_ngrams_as_onnxruntime(device, mode, shortest, longest, skip):
    weights = () if mode == "TF" else [0.5, 2.0, 1.0, 3.0, 1.5, 0.25, 4.0]
    form = {
        **POOL,
        "mode": mode,
        "weights": weights,
        "min_gram_length": shortest,
        "max_gram_length": longest,
        "max_skip_count": skip,
    }
    for x in (ROWS, ROWS[1]):
        got = ops.tfidf(lamina.tensor(x, device=device), **form)
        assert got.device == device
        np.testing.assert_array_equal(got.numpy(), by_onnxruntime(x, **form))


def test_bad_pools():
    x = lamina.tensor(ROWS)
    cases = {
        "tfidf: ngram_counts=[0, 3] puts the 2-grams from 3 to 10 of a pool of 10; wanted rising numbers, "
        "each part whole 2-grams": {"ngram_counts": [0, 3]},
        "tfidf: ngram_counts=[4, 0] puts the 1-grams from 4 to 0 of a pool of 10; wanted rising numbers, "
        "each part whole 1-grams": {"ngram_counts": [4, 0]},
        "tfidf: 2 ngram_indexes do not fit the n-grams of the pool; wanted one for each": {
            "ngram_indexes": [0, 1]
        },
        "tfidf: ngram_indexes is empty; wanted a column for each n-gram": {
            "ngram_indexes": [],
            "ngram_counts": [],
        },
        "tfidf: 1 weights are given for 7 n-grams; wanted one for each n-gram": {"weights": [1.0]},
        "tfidf: mode='BM25' is not 'TF', 'IDF' or 'TFIDF'": {"mode": "BM25"},
        "tfidf: min_gram_length=3, max_gram_length=2; wanted 1 <= min <= max": {
            "min_gram_length": 3,
            "max_gram_length": 2,
        },
    }
    for message, change in cases.items():
        raises(lamina.ArgumentError, message, lambda change=change: ops.tfidf(x, **(POOL | change)))
    with pytest.raises(lamina.ArgumentError, match="ngram_indexes"):
        ops.tfidf(x, **(POOL | {"ngram_indexes": [0, 2, -1, 3, 5, 4, 6]}))
    with pytest.raises(lamina.OutOfMemoryError, match="tfidf: "):
        ops.tfidf(x, **(POOL | {"ngram_indexes": [0, 2, 1, 3, 5, 4, 2**62]}))
