"""Tensors: in and out, operators, views, sharing, printing, errors."""

import operator

import numpy as np
import pytest

import lamina
from helpers import leaf, normal, raises

X = normal(3, 5).astype(np.float32)


def test_in_and_out(device):
    t = lamina.tensor(X, device=device)
    assert (t.shape, t.dtype, t.device, t.ndim, t.size, len(t)) == ((3, 5), lamina.float32, device, 2, 15, 3)
    np.testing.assert_array_equal(t.numpy(), X)
    np.testing.assert_array_equal(np.asarray(t), X)
    assert t.tolist() == X.tolist()
    assert t[1, 2].item() == X[1, 2]


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int32", "int64", "float16", "float32"])
def test_dtypes_make_the_round_trip(device, dtype):
    array = np.array([[0, 1], [1, 1]]).astype(dtype)
    t = lamina.tensor(array, device=device)
    assert t.dtype.name == dtype
    assert t.numpy().dtype == array.dtype
    np.testing.assert_array_equal(t.numpy(), array)


def test_python_numbers_become_what_is_usual():
    assert lamina.tensor([1.0, 2.0]).dtype == lamina.float32
    assert lamina.tensor([1, 2]).dtype == lamina.int64
    assert lamina.tensor([True]).dtype == lamina.bool_
    assert lamina.tensor(np.zeros(2)).dtype == lamina.float64
    assert (lamina.tensor([1.0]) * 2).dtype == lamina.float32
    assert (lamina.tensor([1]) * 2.5).dtype == lamina.float32
    assert (lamina.tensor([1]) / lamina.tensor([2])).dtype.is_floating_point


def test_it_copies():
    array = X.copy()
    t = lamina.tensor(array)
    array[:] = 0
    np.testing.assert_array_equal(t.numpy(), X)


def test_numpy_is_a_read_only_view():
    seen = lamina.tensor(X).numpy()
    assert not seen.flags.writeable
    np.testing.assert_array_equal(seen, X)


BINARY = [
    operator.add,
    operator.sub,
    operator.mul,
    operator.truediv,
    operator.pow,
    operator.floordiv,
    operator.mod,
]


@pytest.mark.parametrize("op", BINARY, ids=lambda op: op.__name__)
def test_operators(device, op):
    a, b = np.abs(X) + 0.5, np.abs(normal(5, seed=1)).astype(np.float32) + 0.5
    s, t = lamina.tensor(a, device=device), lamina.tensor(b, device=device)
    np.testing.assert_allclose(op(s, t).numpy(), op(a, b), rtol=1e-5)
    np.testing.assert_allclose(op(s, 2.0).numpy(), op(a, np.float32(2.0)), rtol=1e-5)
    np.testing.assert_allclose(op(2.0, s).numpy(), op(np.float32(2.0), a), rtol=1e-5)


@pytest.mark.parametrize(
    "op", [operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge], ids=str
)
def test_comparisons(device, op):
    t = lamina.tensor(X, device=device)
    np.testing.assert_array_equal(op(t, 0.0).numpy(), op(X, 0.0))


def test_unary_operators(device):
    t = lamina.tensor(X, device=device)
    np.testing.assert_array_equal((-t).numpy(), -X)
    np.testing.assert_array_equal(abs(t).numpy(), abs(X))
    np.testing.assert_array_equal((~(t > 0)).numpy(), ~(X > 0))
    np.testing.assert_allclose((t @ t.T).numpy(), X @ X.T, rtol=1e-5, atol=1e-6)


def test_dlpack_both_ways():
    t = lamina.tensor(X)
    np.testing.assert_array_equal(np.from_dlpack(t), X)
    shared = X.copy()
    back = lamina.from_dlpack(shared)
    np.testing.assert_array_equal(back.numpy(), X)
    assert np.shares_memory(back.numpy(), shared)


def test_it_does_not_change():
    t = lamina.tensor(X)
    with pytest.raises(TypeError, match=r"x\.at\[i\]\.set\(v\)"):
        t[0] = 1.0


def test_moving(device):
    t = lamina.tensor(X).to(device)
    assert t.device == device
    assert t.to("cpu").device == "cpu"
    np.testing.assert_array_equal(t.to("cpu").numpy(), X)


def test_devices_do_not_mix():
    others = lamina.testing.devices()[1:]
    for other in others:
        with pytest.raises(lamina.DeviceError, match="cpu"):
            lamina.tensor(X) + lamina.tensor(X, device=other)
        # Numbers and 0-d tensors of the CPU go anywhere.
        assert (lamina.tensor(X, device=other) + lamina.tensor(1.0)).device == other
        with pytest.raises(lamina.UnsupportedError, match="float64"):
            lamina.tensor(X.astype(np.float64)).to(other)


def test_truth_and_numbers():
    assert bool(lamina.tensor(1.0))
    assert not bool(lamina.tensor([0.0]))
    assert float(lamina.tensor(2.5)) == 2.5
    assert int(lamina.tensor(7)) == 7
    with pytest.raises(lamina.LaminaError):
        bool(lamina.tensor(X))
    with pytest.raises(lamina.LaminaError):
        lamina.tensor(X).item()


def test_it_prints_values():
    text = repr(lamina.tensor([[1.0, 2.5], [3.0, 4.0]]))
    for piece in ("1", "2.5", "3", "4"):
        assert piece in text
    long = repr(lamina.tensor(np.zeros((1000, 1000), np.float32)))
    assert "..." in long
    assert len(long) < 2000


def test_backward_and_detach(device):
    x = leaf(X, device)
    y = (x * x).sum()
    y.backward()
    np.testing.assert_allclose(x.grad.numpy(), 2 * X, rtol=1e-6)
    assert not y.detach().requires_grad
    x.grad = None
    (x.detach() * x).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), X, rtol=1e-6)


def test_no_gradients_inside_no_grad():
    x = lamina.tensor(X, requires_grad=True)
    with lamina.no_grad():
        assert not (x * 2).requires_grad
        with lamina.enable_grad():
            assert (x * 2).requires_grad
    assert (x * 2).requires_grad


def test_explain(device):
    x = lamina.tensor(X, device=device)
    found = lamina.explain(lamina.ops.relu(x @ x.T) + 1.0)
    assert len(found.steps) >= 1
    assert all(step.device == device for step in found.steps)
    assert found.fallbacks == []
    assert "matmul" in str(found)


def test_bad_input():
    raises(
        lamina.DeviceError,
        "device 'tpu' is unknown: wanted 'cpu', 'gpu', 'gpu:N' or 'auto'",
        lambda: lamina.tensor(1.0, device="tpu"),
    )
    with pytest.raises(lamina.IndexError):
        lamina.tensor(X)[7]
    with pytest.raises(IndexError):
        lamina.tensor(X)[0, 0, 0]
    with pytest.raises(lamina.ShapeError):
        lamina.tensor(X).reshape(4, 4)
    with pytest.raises(lamina.LaminaError):
        lamina.tensor([[1.0], [1.0, 2.0]])
    with pytest.raises(lamina.LaminaError):
        lamina.tensor("text")
    raises(
        lamina.UnsupportedError,
        "op 'nothing' is unknown; `lamina ops` lists what there is",
        lambda: lamina._lamina.record("nothing", [lamina.tensor(X)], {}),
    )
    raises(
        lamina.ArgumentError,
        "relu: unknown keyword argument 'slope'; it takes: none",
        lambda: lamina._lamina.record("relu", [lamina.tensor(X)], {"slope": 1.0}),
    )
