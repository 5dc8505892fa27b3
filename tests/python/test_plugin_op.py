"""Ops defined in Python: recorded, computed, differentiated, run on a GPU where they bring WGSL."""

import gc
import threading

import numpy as np
import pytest

import lamina
from helpers import normal, raises
from lamina._lamina import record, register_op
from lamina.testing import check_gradients

X = normal(3, 33).astype(np.float32)


def same(*inputs):
    return inputs[0]


def cube_gradient(inputs, outputs, grads):
    (x,), (grad,) = inputs, grads
    return [grad * x * x * 3.0]


register_op("testing.cube", same, lambda x: x**3, vjp=cube_gradient, wgsl="out0 = in0 * in0 * in0;")
register_op(
    "testing.minmax",
    lambda x: [((x[0][0],), x[1]), ((x[0][0],), x[1])],
    lambda x: (x.min(axis=1), x.max(axis=1)),
)


def cube(x):
    return record("testing.cube", [x], {})


def test_values(device):
    np.testing.assert_allclose(cube(lamina.tensor(X, device=device)).numpy(), X**3, rtol=1e-6)


def test_it_runs_where_it_has_a_kernel():
    for device in lamina.testing.devices()[1:]:
        x = lamina.tensor(X, device=device)
        assert lamina.explain(cube(x) + 1.0).fallbacks == []
        low, high = record("testing.minmax", [x], {})
        assert any("testing.minmax" in line for line in lamina.explain(low + high).fallbacks)
        np.testing.assert_array_equal((low + high).numpy(), X.min(axis=1) + X.max(axis=1))


def test_gradients():
    check_gradients(cube, [normal(2, 5)])
    check_gradients(lambda x: lamina.grad(cube(x).sum(), [x], create_graph=True)[0], [normal(2, 3)])


def test_several_outputs():
    low, high = record("testing.minmax", [lamina.tensor(X)], {})
    np.testing.assert_array_equal(low.numpy(), X.min(axis=1))
    np.testing.assert_array_equal(high.numpy(), X.max(axis=1))
    assert not low.requires_grad


def test_without_a_gradient_there_is_none():
    low, _ = record("testing.minmax", [lamina.tensor(X, requires_grad=True)], {})
    assert not low.requires_grad


def test_arrays_may_be_kept():
    kept = []
    register_op("testing.keep", same, lambda x: kept.append(x) or x * 2)
    out = record("testing.keep", [lamina.tensor(X) + 1.0], {}).numpy()
    gc.collect()
    np.testing.assert_array_equal(kept[0], X + 1)
    np.testing.assert_array_equal(out, (X + 1) * 2)


def test_mistakes_in_python():
    def fails(x):
        raise ValueError("no such luck")

    register_op("testing.fails", same, fails)
    with pytest.raises(
        lamina.PluginError, match=r"testing\.fails: cpu raised ValueError: no such luck"
    ) as caught:
        record("testing.fails", [lamina.tensor(X)], {}).numpy()
    assert isinstance(caught.value.__cause__, ValueError)
    register_op("testing.short", same, lambda x: x[:1])
    raises(
        lamina.PluginError,
        "testing.short: cpu gave shape [1, 33] where infer said [3, 33]",
        lambda: record("testing.short", [lamina.tensor(X)], {}).numpy(),
    )
    register_op("testing.mute", lambda x: None, lambda x: x)
    raises(
        lamina.PluginError,
        "testing.mute: infer must give (shape, dtype), or a list of them",
        lambda: record("testing.mute", [lamina.tensor(X)], {}),
    )
    raises(
        lamina.ArgumentError,
        "op 'testing.cube' is already registered",
        lambda: register_op("testing.cube", same, same),
    )
    raises(
        lamina.ArgumentError,
        "op 'cube': a plugin's op is named 'namespace.name'",
        lambda: register_op("cube", same, same),
    )


def test_from_several_threads():
    x = lamina.tensor(X)
    results = [None] * 8

    def work(at):
        results[at] = (cube(x * float(at)) + 1.0).numpy()

    threads = [threading.Thread(target=work, args=(at,)) for at in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for at, result in enumerate(results):
        np.testing.assert_allclose(result, (X * at) ** 3 + 1, rtol=1e-6)
