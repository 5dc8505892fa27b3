"""Reading and writing by tuples of indices, sequences turned round, rows in bags, what is chosen by data."""

import numpy as np
import pytest

import lamina
from helpers import compare, leaf, normal, raises, rng
from lamina import ops

X = normal(4, 5, 6)


def tuples(shape, sizes, seed=1):
    """Index tuples along a new last axis, from either end."""
    return np.stack([rng(seed + i).integers(-n, n, shape) for i, n in enumerate(sizes)], -1)


def at(index):
    """As NumPy wants tuples."""
    return tuple(np.moveaxis(index, -1, 0))


@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.parametrize("shape", [(7,), (2, 3), (0,)], ids=str)
def test_gather_nd(device, k, shape):
    index = tuples(shape, X.shape[:k])

    def gradients(gy, x, _):
        gx = np.zeros_like(x)
        np.add.at(gx, at(index), gy)
        return (gx,)

    compare(ops.gather_nd, [X, index], device, lambda x, i: x[at(i)], gradients)


def test_gather_nd_in_batches(device):
    index = tuples((4, 3), X.shape[1:2])
    rows = np.arange(4)[:, None]
    compare(lambda x, i: ops.gather_nd(x, i, 1), [X, index], device, lambda x, i: x[rows, i[..., 0]])
    index = tuples((4, 5, 3), X.shape[2:])
    compare(
        lambda x, i: ops.gather_nd(x, i, 2),
        [X, index],
        device,
        lambda x, i: np.take_along_axis(x, i[..., 0], 2),
    )


REDUCE = {
    None: None,
    "sum": np.add,
    "prod": np.multiply,
    "amax": np.maximum,
    "amin": np.minimum,
}


@pytest.mark.parametrize("reduce", REDUCE)
@pytest.mark.parametrize("k", [1, 2, 3])
def test_scatter_nd(device, reduce, k):
    # Without a reduction each place is written once.
    places = rng(2).permutation(np.prod(X.shape[:k]))[:3]
    index = np.stack(np.unravel_index(places, X.shape[:k]), -1)
    if reduce is not None:
        index = np.concatenate([index, index[:1] - np.array(X.shape[:k])])
    updates = normal(len(index), *X.shape[k:], seed=3)

    def wanted(x, i, u):
        y = x.copy()
        if reduce is None:
            y[at(i)] = u
        else:
            REDUCE[reduce].at(y, at(i), u)
        return y

    compare(lambda x, i, u: ops.scatter_nd(x, i, u, reduce), [X, index, updates], device, wanted)


@pytest.mark.parametrize("wrong", [[0, 5], [0, -6], [4, 0], [-5, 0]], ids=str)
def test_an_index_beyond_its_axis_is_no_index_of_the_next_row(device, wrong):
    x, index = leaf(X, device), lamina.tensor([wrong], device=device)
    with pytest.raises(lamina.IndexError):
        ops.gather_nd(x, index).numpy()
    with pytest.raises(lamina.IndexError):
        ops.scatter_nd(x, index, x[0, :1]).numpy()


def test_an_index_beyond_its_batch_is_no_index_of_the_next(device):
    index = np.zeros((4, 1, 1), np.int64)
    index[1] = 5
    with pytest.raises(lamina.IndexError):
        ops.gather_nd(leaf(X, device), lamina.tensor(index, device=device), 1).numpy()


@pytest.mark.parametrize(("time", "batch"), [(0, 1), (1, 0), (2, 1), (-1, 0)])
def test_reverse_sequence(device, time, batch):
    lengths = rng(4).integers(0, X.shape[time] + 1, X.shape[batch])

    def wanted(x, _):
        y = np.moveaxis(x.copy(), (batch, time), (0, 1))
        for row, n in zip(y, lengths, strict=True):
            row[:n] = row[:n][::-1].copy()
        return np.moveaxis(y, (0, 1), (batch, time))

    compare(lambda x, n: ops.reverse_sequence(x, n, time, batch), [X, lengths], device, wanted)


def test_index_add_and_copy(device):
    index, source = np.array([2, 0]), normal(4, 2, 6, seed=1)

    def wanted(x, i, s, add):
        y = x.copy()
        y[:, i] = s + (y[:, i] if add else 0)
        return y

    compare(
        lambda x, i, s: ops.index_add(x, 1, i, s), [X, index, source], device, lambda *a: wanted(*a, True)
    )
    compare(
        lambda x, i, s: ops.index_copy(x, 1, i, s), [X, index, source], device, lambda *a: wanted(*a, False)
    )


@pytest.mark.parametrize("dim", [None, 0, 2])
def test_compress(device, dim):
    condition = rng(5).integers(0, 2, 4).astype(bool)
    compare(
        lambda x, c: ops.compress(x, c, dim),
        [X, condition],
        device,
        lambda x, c: np.compress(c, x, dim),
    )


def test_nonzero(device):
    x = rng(6).integers(0, 2, (3, 4))
    got = ops.nonzero(lamina.tensor(x, device=device))
    np.testing.assert_array_equal(got.numpy(), np.argwhere(x))


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
@pytest.mark.parametrize("padding", [None, 2, -1])
def test_embedding_bag(device, mode, padding):
    index, weight = rng(7).integers(0, 5, (6, 3)), normal(5, 4)
    index[0] = 2
    index[1] = 4
    make = {"sum": np.sum, "mean": np.mean, "max": np.max}[mode]

    def wanted(i, w):
        bags = [[n for n in bag if padding is None or n != padding % 5] for bag in i]
        return np.stack([make(w[bag], 0) if bag else np.zeros(4) for bag in bags])

    compare(lambda i, w: ops.embedding_bag(i, w, mode, padding_idx=padding), [index, weight], device, wanted)


def test_embedding_bag_of_weighted_samples_and_of_nothing(device):
    index, weight, scale = rng(7).integers(0, 5, (6, 3)), normal(5, 4), normal(6, 3, seed=2)
    compare(
        lambda i, w, s: ops.embedding_bag(i, w, "sum", s),
        [index, weight, scale],
        device,
        lambda i, w, s: (w[i] * s[..., None]).sum(1),
    )
    empty = lamina.tensor(np.zeros((2, 0), np.int64), device=device)
    got = ops.embedding_bag(empty, lamina.tensor(weight.astype(np.float32), device=device), "max")
    np.testing.assert_array_equal(got.numpy(), np.zeros((2, 4)))


def test_a_row_of_padding_has_no_gradient(device):
    index = np.array([[1, 3], [3, -2]])

    def gradients(gy, _, w):
        gw = np.zeros_like(w)
        np.add.at(gw, index, gy)
        gw[3] = 0
        return (gw,)

    compare(lambda i, w: ops.embedding(i, w, 3), [index, normal(5, 4)], device, lambda i, w: w[i], gradients)


def test_eyes(device):
    for rows, columns, k in [(3, 3, 0), (2, 5, 1), (5, 2, -2), (0, 3, 0), (3, 3, 9)]:
        got = ops.eye(rows, columns, k, device=device)
        np.testing.assert_array_equal(got.numpy(), np.eye(rows, columns, k))
        like = lamina.tensor(np.zeros((rows, columns), np.int32), device=device)
        got = ops.eye_like(like, k)
        assert got.dtype == lamina.int32
        np.testing.assert_array_equal(got.numpy(), np.eye(rows, columns, k))


def test_mistakes():
    x, index = ops.zeros((4, 5)), lamina.tensor([[0, 1, 2]])
    cases = [
        (
            lamina.ShapeError,
            "gather_nd: index has shape [1, 3], which does not index x [4, 5]; wanted (0 axes as x has them, "
            "..., tuple) with a tuple of at most 2 indices",
            lambda: ops.gather_nd(x, index),
        ),
        (
            lamina.DTypeError,
            "gather_nd: index has dtype float32, wanted integers; cast it first",
            lambda: ops.gather_nd(x, x),
        ),
        (
            lamina.ShapeError,
            "scatter_nd: updates has shape [4, 5], wanted [1, 5] for index [1, 1] and x [4, 5]",
            lambda: ops.scatter_nd(x, index[:, :1], x),
        ),
        (
            lamina.ShapeError,
            "reverse_sequence: lengths has shape [3] for batch axis 1 and time axis 0 of x [4, 5]; "
            "wanted one for each batch element, and two axes",
            lambda: ops.reverse_sequence(x, index[0]),
        ),
        (
            lamina.ShapeError,
            "compress: condition has shape [3], wanted one axis of at most 2",
            lambda: ops.compress(x[:2], index[0] > 0, 0),
        ),
        (
            lamina.ArgumentError,
            "embedding: padding_idx=9 is no row of weight [4, 5]",
            lambda: ops.embedding(index, x, 9),
        ),
        (
            lamina.ArgumentError,
            "embedding_bag: mode='last' is not 'sum', 'mean' or 'max'",
            lambda: ops.embedding_bag(index, x, "last"),
        ),
        (
            lamina.ShapeError,
            "eye_like: x has shape (3,), wanted (rows, columns)",
            lambda: ops.eye_like(index[0]),
        ),
    ]
    for error, message, call in cases:
        raises(error, message, call)
