"""Indexing against NumPy's own."""

import numpy as np
import pytest

import lamina
from helpers import raises

X = np.arange(2 * 3 * 4 * 5, dtype=np.float32).reshape(2, 3, 4, 5)

VIEWS = [
    np.s_[1],
    np.s_[-1, ..., 2],
    np.s_[:, ::-1],
    np.s_[:, 2:0:-1, 1:, ::2],
    np.s_[..., ::-2],
    np.s_[:, None, 1],
    np.s_[None, ..., None],
    np.s_[:, 5:],
    np.s_[:, -100:100],
    np.s_[0, 1, 2, 3],
    np.s_[...],
    np.s_[np.int64(1), np.array(2)],
]


@pytest.mark.parametrize("index", VIEWS, ids=str)
def test_views(device, index):
    np.testing.assert_array_equal(lamina.tensor(X, device=device)[index].numpy(), X[index])


ARRAYS = [
    np.s_[[1, 0, 1]],
    np.s_[:, [2, -1]],
    np.s_[..., [[0, 4], [-5, 2]]],
    np.s_[:, [0, 2], [1, -4]],
    np.s_[[0, 1], :, [1, 3]],
    np.s_[0, :, [1, 3]],
    np.s_[:, [[0], [2]], [1, 3]],
    np.s_[[[0], [1]], 1, :, [1, 3]],
    np.s_[1:, [0, 2], ::2],
    np.s_[[]],
    np.s_[X[0, 0] > 7],
]


@pytest.mark.parametrize("index", ARRAYS[:-1], ids=str)
def test_arrays(device, index):
    np.testing.assert_array_equal(lamina.tensor(X, device=device)[index].numpy(), X[index])


@pytest.mark.parametrize("axes", [1, 2, 4])
def test_masks(device, axes):
    mask = (X.reshape(*X.shape[:axes], -1)[..., 0].astype(int) % 3) == 1
    t = lamina.tensor(X, device=device)
    np.testing.assert_array_equal(t[mask].numpy(), X[mask])
    np.testing.assert_array_equal(t[lamina.tensor(mask, device=device)].numpy(), X[mask])


def test_tensors_as_indices(device):
    index = np.array([[2, 0], [1, -1]])
    t, i = lamina.tensor(X, device=device), lamina.tensor(index, device=device)
    np.testing.assert_array_equal(t[:, i].numpy(), X[:, index])
    np.testing.assert_array_equal(t[i[0, 1]].numpy(), X[0])


def test_gradients_come_back(device):
    t = lamina.tensor(X, device=device, requires_grad=True)
    (t[:, [0, 0, 2], 1] * 2.0).sum().backward()
    wanted = np.zeros_like(X)
    np.add.at(wanted, np.s_[:, [0, 0, 2], 1], 2.0)
    np.testing.assert_array_equal(t.grad.numpy(), wanted)


UPDATES = [np.s_[1], np.s_[:, ::-2], np.s_[..., 2], np.s_[0, 1, 2, 3], np.s_[:, None, 1:], np.s_[:, 5:]]


@pytest.mark.parametrize("index", UPDATES, ids=str)
def test_at(device, index):
    t = lamina.tensor(X, device=device)
    for value in (7.0, np.arange(X[index].size, dtype=np.float32).reshape(X[index].shape)):
        wanted = X.copy()
        wanted[index] = value
        value_there = value if isinstance(value, float) else lamina.tensor(value, device=device)
        np.testing.assert_array_equal(t.at[index].set(value_there).numpy(), wanted)
        wanted = X.copy()
        wanted[index] += value
        np.testing.assert_array_equal(t.at[index].add(value_there).numpy(), wanted)
    np.testing.assert_array_equal(t.numpy(), X)


def test_mistakes():
    t = lamina.tensor(X)
    raises(lamina.IndexError, "index: 2 is out of range for axis 0 of length 2", lambda: t[2])
    raises(lamina.IndexError, "index: -4 is out of range for axis 1 of length 3", lambda: t[:, [0, -4]])
    raises(
        lamina.IndexError,
        "index: 5 indices for a tensor of shape [2, 3, 4, 5], which has 4 axes",
        lambda: t[0, 0, 0, 0, 0],
    )
    raises(lamina.IndexError, "index: '...' may stand only once", lambda: t[..., 0, ...])
    raises(lamina.ArgumentError, "index: a slice's step is 0; it must move", lambda: t[::0])
    raises(
        lamina.IndexError,
        "index: a mask of shape [3] does not fit axes 0 to 1 of a tensor of shape [2, 3, 4, 5]",
        lambda: t[np.array([True, False, True])],
    )
    raises(
        lamina.DTypeError,
        "index: an array of float32 is no index; wanted integers or bool",
        lambda: t[np.zeros(2, np.float32)],
    )
    raises(
        lamina.ArgumentError,
        "index: a str is no index; wanted an int, slice, None, '...', "
        "or a tensor, array or list of ints or bools",
        lambda: t["x"],
    )


def test_rows_in_a_loop():
    rows = [row.numpy() for row in lamina.tensor(X)]
    assert len(rows) == 2
    np.testing.assert_array_equal(rows[1], X[1])
    with pytest.raises(TypeError):
        iter(lamina.tensor(1.0))
