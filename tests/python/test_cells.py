"""Cells: values that change, gradients that gather, memory that is used again."""

import copy
import pickle

import numpy as np
import pytest

import lamina
from helpers import normal, raises
from lamina import ops, optim
from lamina._lamina import Cell, record, register_op
from lamina.nn import Parameter

X = normal(4, 5).astype(np.float32)


def test_assign_and_read(device):
    cell = Cell(lamina.tensor(X, device=device))
    before = cell.tensor
    cell.assign(lamina.tensor(X * 2, device=device))
    np.testing.assert_array_equal(cell.tensor.numpy(), X * 2)
    np.testing.assert_array_equal(before.numpy(), X)
    assert (cell.shape, cell.dtype, cell.device) == ((4, 5), lamina.float32, device)


def test_gradients_gather_and_clear(device):
    cell = Parameter(lamina.tensor(X, device=device))
    for _ in range(2):
        (cell * 3.0).sum().backward()
    np.testing.assert_array_equal(cell.grad.numpy(), np.full_like(X, 6))
    cell.grad = None
    (2.0 - cell).sum().backward()
    np.testing.assert_array_equal(cell.grad.numpy(), np.full_like(X, -1))


def test_operators_on_cells():
    a, b = Parameter(X), Parameter(X + 1)
    np.testing.assert_array_equal((a * b - a / 2.0).numpy(), X * (X + 1) - X / 2)
    np.testing.assert_allclose((a @ b.tensor.T).numpy(), X @ (X + 1).T, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal((X + a).numpy(), X + X)
    np.testing.assert_array_equal(a[1, ::2].numpy(), X[1, ::2])
    assert {a: 1, b: 2}[b] == 2


def test_updates_are_computed_together(device):
    cell = Cell(lamina.tensor(X, device=device), False)
    wanted = X.copy()
    for step in range(5):
        cell.update(cell.tensor * 0.5 + float(step))
        wanted = wanted * np.float32(0.5) + np.float32(step)
    seen = cell.tensor.sum()
    lamina.eval(cell)
    np.testing.assert_allclose(cell.tensor.numpy(), wanted, rtol=1e-6)
    np.testing.assert_allclose(seen.item(), wanted.sum(), rtol=1e-4)


def test_what_is_held_keeps_its_value(device):
    cell = Cell(lamina.tensor(X, device=device), False)
    before = cell.tensor
    view = before.numpy() if device == "cpu" else None
    doubled = before * 2.0
    cell.update(cell.tensor + 1.0)
    lamina.eval(cell)
    np.testing.assert_array_equal(before.numpy(), X)
    np.testing.assert_array_equal(doubled.numpy(), X * 2)
    if view is not None:
        np.testing.assert_array_equal(view, X)


def test_steady_updates_take_no_new_memory():
    cell = Cell(lamina.tensor(X), False)

    def step():
        cell.update(cell.tensor * 0.5)
        lamina.eval(cell)

    for _ in range(3):
        step()
    before = lamina.counters()
    for _ in range(10):
        step()
    after = lamina.counters()
    for name in ("plans", "cpu_allocations"):
        assert after[name] == before[name], name


def test_mistakes():
    cell = Cell(lamina.tensor(X), False)
    raises(
        lamina.ShapeError,
        "assign: the cell holds float32 of shape [4, 5], got float32 of shape [5]; "
        "a cell's shape and dtype are fixed",
        lambda: cell.assign(lamina.tensor(X[0])),
    )
    with pytest.raises(lamina.DTypeError):
        Parameter(lamina.tensor([1, 2]))
    raises(
        lamina.ShapeError,
        "grad: got float32 of shape [5], wanted float32 of shape [4, 5]",
        lambda: setattr(Parameter(X), "grad", lamina.tensor(X[0])),
    )


def test_copies_are_apart():
    one = Parameter(X)
    one.note = "kept"
    for two in (copy.deepcopy(one), pickle.loads(pickle.dumps(one))):
        assert isinstance(two, Parameter)
        assert two.requires_grad
        two.assign(lamina.tensor(X * 0))
        np.testing.assert_array_equal(one.tensor.numpy(), X)
    assert copy.deepcopy(one).note == "kept"


def test_tensors_pickle():
    for tensor in (
        lamina.tensor(X, requires_grad=True),
        lamina.tensor(X).astype(lamina._by_name["bfloat16"]),
    ):
        again = pickle.loads(pickle.dumps(tensor))
        assert (again.dtype, again.requires_grad) == (tensor.dtype, tensor.requires_grad)
        np.testing.assert_array_equal(
            again.astype(lamina.float32).numpy(), tensor.detach().astype(lamina.float32).numpy()
        )


def _breaks(x):
    if BREAKS["now"]:
        raise ValueError("told to")
    return x


BREAKS = {"now": False}
register_op("testing.breaks", lambda x: x, _breaks, vjp=lambda inputs, outputs, grads: [grads[0]])


def breaks(x):
    return record("testing.breaks", [x], {})


def test_a_failed_step_leaves_everything_as_it_was(device):
    def train(fails):
        cell = Parameter(lamina.tensor(X, device=device))
        optimizer = optim.Adam([cell], lr=0.1)
        for step in range(3):
            BREAKS["now"] = fails and step == 1
            ops.sum(ops.square(breaks(cell.tensor))).backward()
            if BREAKS["now"]:
                before = cell.tensor.numpy().copy()
                with pytest.raises(lamina.PluginError, match="told to"):
                    optimizer.step()
                np.testing.assert_array_equal(cell.tensor.numpy(), before)
                assert optimizer.state[cell]["step"] == 1
                BREAKS["now"] = False
                optimizer.zero_grad()
                ops.sum(ops.square(breaks(cell.tensor))).backward()
            optimizer.step()
            optimizer.zero_grad()
        return cell.tensor.numpy()

    np.testing.assert_array_equal(train(fails=True), train(fails=False))


def test_what_fails_beside_an_update_comes_before_it(device):
    """The update is recorded first, but writes over the old value last."""
    cell = Cell(lamina.tensor(X, device=device), False)
    other = lamina.tensor(X, device=device)
    BREAKS["now"] = True
    cell.update(cell.tensor * 0.5)
    beside = breaks(other + 1.0)
    with pytest.raises(lamina.PluginError):
        lamina.eval(cell, beside)
    BREAKS["now"] = False
    np.testing.assert_array_equal(cell.tensor.numpy(), X)


def test_a_value_made_from_a_failed_update_is_lost(device):
    cell = Cell(lamina.tensor(X, device=device), False)
    cell.update(cell.tensor * 0.5)
    BREAKS["now"] = True
    after = breaks(cell.tensor)
    with pytest.raises(lamina.PluginError):
        lamina.eval(cell, after)
    BREAKS["now"] = False
    # Here the failing op reads what the update wrote over the old value.
    with pytest.raises(lamina.LostError, match="a run failed while it was being updated"):
        cell.tensor.numpy()
    cell.assign(lamina.tensor(X, device=device))
    np.testing.assert_array_equal(cell.tensor.numpy(), X)
