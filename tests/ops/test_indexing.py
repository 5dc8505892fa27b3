"""Reading and writing by index; ordering."""

import numpy as np
import pytest

import lamina
from helpers import compare, leaf, normal, raises, rng
from lamina import ops
from lamina.testing import assert_close
from oracle import index as oracle


@pytest.mark.parametrize("dim", [0, 1, 2])
def test_gather(device, dim):
    shape = [3, 5, 33]
    shape[dim] = 4
    index = rng(1).integers(0, (3, 5, 33)[dim], shape)
    compare(
        lambda t, i: ops.gather(t, i, dim),
        [normal(3, 5, 33), index],
        device,
        lambda a, i: oracle.gather(a, i, dim),
        lambda gy, a, i: oracle.moved_vjp(lambda n: oracle.gather(n, index, dim), gy, a),
    )


@pytest.mark.parametrize("dtype", ["int32", "int64"])
@pytest.mark.parametrize("dim", [0, 1])
def test_take(device, dim, dtype):
    index = rng(1).integers(0, 5, (2, 33)).astype(dtype)
    compare(
        lambda t, i: ops.take(t, i, dim),
        [normal(5, 6), index],
        device,
        lambda a, i: oracle.take(a, i, dim),
        lambda gy, a, i: oracle.moved_vjp(lambda n: oracle.take(n, index, dim), gy, a),
    )


def test_embedding(device):
    index = rng(1).integers(0, 5, (2, 33))
    compare(
        lambda t: ops.embedding(leaf(index, device), t),
        [normal(5, 6)],
        device,
        lambda a: oracle.take(a, index, 0),
        lambda gy, a: oracle.moved_vjp(lambda n: oracle.take(n, index, 0), gy, a),
    )


def test_negative_indices_count_from_the_end(device):
    x = lamina.tensor([10.0, 20.0, 30.0], device=device)
    index = lamina.tensor(np.array([-1, -3]), device=device)
    assert ops.take(x, index).tolist() == [30.0, 10.0]


@pytest.mark.parametrize("dim", [0, 1])
def test_scatter_add(device, dim):
    index = rng(1).integers(0, 4, (4, 33))
    compare(
        lambda x, s: ops.scatter_add(x, leaf(index, device), s, dim),
        [normal(4, 33), normal(4, 33, seed=2)],
        device,
        lambda x, s: oracle.scatter_add(x, index, s, dim),
        lambda gy, x, s: (gy, oracle.gather(gy, index, dim)),
    )


REDUCE = ["sum", "prod", "amax", "amin"]


@pytest.mark.parametrize("reduce", REDUCE)
@pytest.mark.parametrize("dtype", ["float32", "float16", "int32", "int64", "uint8"])
@pytest.mark.parametrize("dim", [0, 1])
def test_scatter_reduce(device, reduce, dtype, dim):
    """Several for one place; whole numbers, so that order does not show."""
    index = rng(2).integers(-4, 4, (4, 33))
    x, source = (rng(seed).integers(1, 3, (4, 33)).astype(dtype) for seed in (0, 1))
    index = index if dim == 0 else rng(2).integers(-33, 33, (4, 33))
    given = [leaf(a, device, dtype) for a in (x, index, source)]
    out = ops.scatter_reduce(*given, dim, reduce)
    assert str(out.dtype).split(".")[-1] == dtype
    wanted = oracle.scatter_reduce(x.astype(np.int64), index, source.astype(np.int64), dim, reduce)
    np.testing.assert_array_equal(out.numpy(), wanted.astype(dtype))
    assert lamina.explain(ops.scatter_reduce(*given, dim, reduce)).fallbacks == []


@pytest.mark.parametrize("reduce", ["amax", "amin"])
def test_equal_extremes_share_the_gradient(device, reduce):
    index = rng(2).integers(0, 4, (5, 33))
    x, source = (
        rng(seed).integers(0, 3, shape).astype(np.float64) for seed, shape in ((0, (4, 33)), (1, (5, 33)))
    )
    compare(
        lambda x, s: ops.scatter_reduce(x, leaf(index, device), s, 0, reduce),
        [x, source],
        device,
        lambda x, s: oracle.scatter_reduce(x, index, s, 0, reduce),
        lambda gy, x, s: oracle.extreme_vjp(gy, x, index, s, 0, reduce),
    )


def test_nan_wins(device):
    x, source = np.array([1.0, np.nan, 3.0]), np.array([np.nan, 5.0, 2.0])
    for reduce in ("amax", "amin"):
        out = ops.scatter_reduce(leaf(x, device), leaf(np.arange(3), device), leaf(source, device), 0, reduce)
        assert np.isnan(out.detach().numpy()).tolist() == [True, True, False]


def test_scatter(device):
    index = rng(2).integers(0, 3, (5, 33))
    compare(
        lambda x, s: ops.scatter(x, leaf(index, device), s, 0),
        [normal(4, 33), normal(5, 33, seed=1)],
        device,
        lambda x, s: oracle.scatter(x, index, s, 0),
    )


def test_scatter_knows_its_reductions():
    x, index = lamina.tensor([1.0]), lamina.tensor([0])
    raises(
        lamina.ArgumentError,
        "scatter_reduce: reduce='mean' is not 'sum', 'prod', 'amax' or 'amin'",
        lambda: ops.scatter_reduce(x, index, x, 0, "mean"),
    )


def test_one_hot(device):
    index = rng(1).integers(0, 7, (3, 33))
    np.testing.assert_array_equal(ops.one_hot(leaf(index, device), 7).numpy(), oracle.one_hot(index, 7))


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("case", [((33,), 0), ((3, 65), 1), ((65, 3), 0), ((2, 1, 4), -1)], ids=str)
def test_sort(device, case, descending):
    shape, dim = case
    x = rng(0).integers(0, 9, shape).astype(np.float64)
    values, index = ops.sort(leaf(x, device), dim, descending)
    wanted, order = oracle.sort(x, dim, descending)
    np.testing.assert_array_equal(values.numpy(), wanted)
    np.testing.assert_array_equal(index.numpy(), order)
    assert index.dtype == lamina.int64


@pytest.mark.parametrize("largest", [True, False])
@pytest.mark.parametrize("case", [((33,), 5, 0), ((3, 1025), 33, 1), ((65, 3), 1, 0)], ids=str)
def test_topk(device, case, largest):
    shape, k, dim = case
    x = rng(0).integers(0, 50, shape).astype(np.float64)
    values, index = ops.topk(leaf(x, device), k, dim, largest)
    wanted, order = oracle.topk(x, k, dim, largest)
    np.testing.assert_array_equal(values.numpy(), wanted)
    np.testing.assert_array_equal(index.numpy(), order)


def test_gradient_of_sorted_values(device):
    x = leaf(np.array([3.0, 1.0, 2.0]), device)
    weights = lamina.tensor([10.0, 20.0, 30.0], device=device)
    (gradient,) = lamina.grad(ops.sum(ops.sort(x)[0] * weights), [x])
    assert_close(gradient, [30.0, 10.0, 20.0], "map")


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("shape", [(7, 33), (3, 5, 4, 2)], ids=str)
def test_cross_entropy(device, reduction, shape):
    target = rng(1).integers(0, shape[1], (shape[0], *shape[2:]))
    compare(
        lambda t, i: ops.cross_entropy(t, i, reduction),
        [normal(*shape) * 3, target],
        device,
        lambda a, i: oracle.cross_entropy(a, i, reduction),
        lambda gy, a, i: oracle.cross_entropy_vjp(gy, a, i, reduction),
    )


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_mse_loss(device, reduction):
    reduce = {"mean": np.mean, "sum": np.sum, "none": np.asarray}[reduction]

    def gradients(gy, x, t):
        g = 2 * (x - t) * gy / (x.size if reduction == "mean" else 1)
        return g, -g

    compare(
        lambda x, t: ops.mse_loss(x, t, reduction),
        [normal(5, 33), normal(5, 33, seed=1)],
        device,
        lambda x, t: reduce((x - t) ** 2),
        gradients,
    )


def test_at(device):
    x = leaf(normal(4, 5), device)
    array = x.detach().numpy()
    wanted = array.copy()
    wanted[1:3] = 7.0
    np.testing.assert_array_equal(x.at[1:3].set(7.0).numpy(), wanted)
    wanted = array.copy()
    wanted[:, 2] += 1.0
    np.testing.assert_array_equal(x.at[:, 2].add(1.0).numpy(), wanted)
    np.testing.assert_array_equal(x.numpy(), array)


def test_a_bad_index_is_told_to_whoever_uses_the_value(device):
    """And to nobody else: on a GPU it is known only after the run."""
    x = lamina.tensor(np.arange(6, dtype=np.float32).reshape(3, 2), device=device)
    bad = ops.take(x, lamina.tensor(np.array([0, 3]), device=device) * 1)
    if device != "cpu":
        lamina.eval(bad)
        later = bad * 2.0
        lamina.eval(later)
    else:
        later = bad * 2.0
    assert (x * 2.0).tolist() == [[0.0, 2.0], [4.0, 6.0], [8.0, 10.0]]
    assert ops.take(x, lamina.tensor(np.array([2]), device=device)).tolist() == [[4.0, 5.0]]
    for value in (bad, later, bad, later + 1.0):
        with pytest.raises(lamina.IndexError, match=r"^take: "):
            value.numpy()
