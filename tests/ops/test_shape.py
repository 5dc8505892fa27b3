"""Ops that only move elements: values and gradients in every dtype."""

import numpy as np
import pytest

import lamina
from helpers import compare, leaf, normal, rng
from lamina import ops
from oracle.index import moved_vjp


def both(device, op, move, *shapes):
    """The op against the same move in NumPy, in float32 with gradients and in other dtypes without."""
    inputs = [normal(*shape, seed=at) for at, shape in enumerate(shapes)]
    compare(op, inputs, device, move, lambda gy, *a: moved_vjp(move, gy, *a), "map")
    for dtype in ("float16", "int64", "int32", "uint8", "bool"):
        arrays = [rng(at).integers(0, 2, shape).astype(dtype) for at, shape in enumerate(shapes)]
        out = op(*(lamina.tensor(a, device=device) for a in arrays))
        assert out.dtype.name == dtype
        np.testing.assert_array_equal(out.numpy(), move(*arrays))


@pytest.mark.parametrize("shape", [(6, -1), (2, 3, 11), (66,)], ids=str)
def test_reshape(device, shape):
    both(device, lambda t: ops.reshape(t, shape), lambda a: a.reshape(shape), (2, 33))


def test_reshape_of_a_transposed_view(device):
    both(device, lambda t: ops.reshape(t.mT, (11, 9)), lambda a: a.T.reshape(11, 9), (3, 33))


def test_flatten(device):
    both(device, lambda t: ops.flatten(t, 1, 2), lambda a: a.reshape(2, 15, 4), (2, 3, 5, 4))


def test_squeeze_and_unsqueeze(device):
    both(device, ops.squeeze, np.squeeze, (1, 3, 1, 5))
    both(device, lambda t: ops.squeeze(t, 2), lambda a: a.squeeze(2), (1, 3, 1, 5))
    both(device, lambda t: ops.unsqueeze(t, 1), lambda a: a[:, None], (3, 5))


@pytest.mark.parametrize("dims", [(1, 0, 2), (2, 1, 0), (2, 0, 1)], ids=str)
def test_permute(device, dims):
    both(device, lambda t: ops.permute(t, dims), lambda a: a.transpose(dims), (3, 33, 5))


def test_transpose(device):
    both(device, lambda t: ops.transpose(t, 0, 2), lambda a: a.swapaxes(0, 2), (3, 33, 5))


def test_expand(device):
    both(device, lambda t: ops.expand(t, (4, 3, 33)), lambda a: np.broadcast_to(a, (4, 3, 33)).copy(), (3, 1))


@pytest.mark.parametrize("dim", [0, 1, -1])
def test_concat(device, dim):
    shapes = [(2, 3, 5)] * 3
    shapes[1] = tuple(7 if a == dim % 3 else n for a, n in enumerate(shapes[1]))
    both(device, lambda *t: ops.concat(t, dim), lambda *a: np.concatenate(a, dim), *shapes)


@pytest.mark.parametrize("dim", [0, 1, 2])
def test_stack(device, dim):
    both(device, lambda *t: ops.stack(t, dim), lambda *a: np.stack(a, dim), (3, 5), (3, 5))


@pytest.mark.parametrize("piece", [0, 1, 2])
def test_split(device, piece):
    both(
        device,
        lambda t: ops.split(t, [1, 4, 2], 1)[piece],
        lambda a: np.split(a, [1, 5], 1)[piece],
        (3, 7, 2),
    )


def test_split_in_equal_pieces(device):
    pieces = ops.split(leaf(normal(7, 2), device), 3)
    assert [p.shape for p in pieces] == [(3, 2), (3, 2), (1, 2)]


@pytest.mark.parametrize("mode", ["constant", "reflect", "edge"])
def test_pad(device, mode):
    pads = [(1, 0), (2, 3)]

    def move(a):
        if mode != "constant":
            return np.pad(a, pads, mode)
        return np.pad(a, pads, mode, constant_values=-1)

    value = -1.0
    x = normal(5, 33)
    compare(
        lambda t: ops.pad(t, pads, mode, value),
        [x],
        device,
        move,
        lambda gy, a: moved_vjp(move, gy, a),
        "map",
    )


@pytest.mark.parametrize(
    "index",
    [
        np.s_[1],
        np.s_[-1],
        np.s_[1:3],
        np.s_[:, ::2],
        np.s_[:, ::-1],
        np.s_[::-2, 5:1:-3],
        np.s_[..., 3],
        np.s_[None, 2, :, None],
        np.s_[5:2],
        np.s_[-2:, -30:-1:7],
    ],
    ids=str,
)
def test_indexing(device, index):
    both(device, lambda t: t[index], lambda a: a[index], (5, 33))


def test_indexing_by_tensors(device):
    x = normal(5, 33)
    rows = np.array([[4, 0], [1, 1]])
    np.testing.assert_array_equal(leaf(x, device)[leaf(rows, device)].numpy(), x.astype(np.float32)[rows])
    np.testing.assert_array_equal(leaf(x, device)[rows].numpy(), x.astype(np.float32)[rows])


def test_slice(device):
    both(
        device,
        lambda t: ops.slice(t, [1, -1], [100, 0], [0, 1], [2, -3]),
        lambda a: a[1:100:2, -1:0:-3],
        (5, 33),
    )


@pytest.mark.parametrize("repeats", [(2, 3), (2, 1, 3), (1, 1), (2,), (0, 2)], ids=str)
def test_tile(device, repeats):
    both(device, lambda t: ops.tile(t, repeats), lambda a: np.tile(a, repeats), (3, 33))


@pytest.mark.parametrize("dims", [(0,), (1, -1), None], ids=str)
def test_flip(device, dims):
    both(device, lambda t: ops.flip(t, dims), lambda a: np.flip(a, dims), (3, 33, 5))


@pytest.mark.parametrize("diagonal", [-40, -1, 0, 2, 40])
@pytest.mark.parametrize("name", ["tril", "triu"])
def test_triangles(device, name, diagonal):
    # Zeros come from nowhere: numbers from 1 on tell them from what moved.
    x = 1 + np.abs(normal(2, 5, 33))
    compare(
        lambda t: getattr(ops, name)(t, diagonal),
        [x],
        device,
        lambda a: getattr(np, name)(a, diagonal),
        lambda gy, a: (getattr(np, name)(gy, diagonal),),
        "map",
    )
