"""Activations that are recorded as several elementwise ops, and run as one."""

import numpy as np
import pytest

import lamina
from helpers import compare, leaf, normal, raises
from lamina import nn, ops
from oracle import activation as oracle

CASES = {
    "gelu": (ops.gelu, nn.GELU(), oracle.gelu, oracle.gelu_slope),
    "gelu_tanh": (
        lambda x: ops.gelu(x, "tanh"),
        nn.GELU("tanh"),
        oracle.gelu_tanh,
        oracle.gelu_tanh_slope,
    ),
    "silu": (ops.silu, nn.SiLU(), oracle.silu, oracle.silu_slope),
    "hardswish": (ops.hardswish, nn.Hardswish(), oracle.hardswish, oracle.hardswish_slope),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("length", [0, 1, 31, 32, 33, 1025])
def test_values_and_gradients(device, name, length):
    op, _, value, slope = CASES[name]
    compare(op, [normal(3, length) * 3], device, value, lambda gy, x: (gy * slope(x),), "map")


@pytest.mark.parametrize("name", CASES)
def test_far_out(device, name):
    x = np.array([1e-30, 1e-6, 1e-3, 0.5, 1, 5, 10, 40, 80.0])
    x = np.concatenate([-x[::-1], [0.0], x])
    op, _, value, slope = CASES[name]
    compare(op, [x], device, value, lambda gy, x: (gy * slope(x),), "map")


@pytest.mark.parametrize("name", CASES)
def test_float16(device, name):
    op, _, value, slope = CASES[name]
    compare(op, [normal(3, 33)], device, value, lambda gy, x: (gy * slope(x),), "map", "float16")


@pytest.mark.parametrize("name", CASES)
def test_a_layer_is_its_op_and_runs_as_one_step(device, name):
    op, layer, _, _ = CASES[name]
    x = leaf(normal(5, 33), device).detach()
    found = lamina.explain(layer(x))
    assert len(found.steps) == 1
    assert found.fallbacks == []
    np.testing.assert_array_equal(layer(x).numpy(), op(x).numpy())


ALPHA = {"elu": {"alpha": 0.7}, "celu": {"alpha": 0.7}, "threshold": {"threshold": 0.3, "value": -2.0}}


@pytest.mark.parametrize("name", oracle.SHORT)
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_short_formulas(device, name, dtype):
    value, slope = oracle.SHORT[name]
    for length in (0, 1, 33, 1025):
        x = normal(3, length) * 3
        # Away from the kinks, where float16 would round to the other side.
        for kink in (-3, -1, -0.5, 0, 0.3, 0.5, 1, 3):
            x = np.where(np.abs(x - kink) < 0.01, kink + 0.02, x)
        compare(
            lambda t: getattr(ops, name)(t, **ALPHA.get(name, {})),
            [x],
            device,
            value,
            lambda gy, a: (gy * slope(a),),
            "map",
            dtype,
        )


@pytest.mark.parametrize("name", oracle.SHORT)
def test_short_formulas_far_out(device, name):
    x = np.array([1e-30, 1e-6, 1e-3, 0.4, 2, 5, 10, 40, 80.0, 1e4])
    x = np.concatenate([-x[::-1], [0.0], x])
    value, _ = oracle.SHORT[name]
    compare(lambda t: getattr(ops, name)(t, **ALPHA.get(name, {})), [x], device, value, None, "map")


def test_prelu(device):
    x, slope = normal(2, 3, 33), normal(3, 1, seed=1)
    compare(ops.prelu, [x, slope], device, oracle.prelu, oracle.prelu_vjp)


def test_relu6(device):
    x = np.array([-1.0, 0.0, 5.5, 6.0, 7.0, np.inf])
    np.testing.assert_array_equal(nn.ReLU6()(leaf(x, device)).numpy(), np.clip(x, 0, 6).astype(np.float32))


def test_mistakes():
    integers = lamina.tensor([1, 2])
    for name in ("gelu", "silu", "hardswish"):
        raises(
            lamina.UnsupportedError,
            f"{name}: x has dtype int64; supported: float32, float64, float16, bfloat16; cast it first",
            lambda name=name: getattr(ops, name)(integers),
        )
    raises(
        lamina.ArgumentError,
        "gelu: approximate='fast' is not 'none' or 'tanh'",
        lambda: nn.GELU("fast")(lamina.tensor([1.0])),
    )
    raises(
        lamina.ArgumentError,
        "celu: alpha is 0, by which x is divided",
        lambda: ops.celu(lamina.tensor([1.0]), 0.0),
    )
    raises(
        lamina.ArgumentError,
        "softshrink: lambd is -1, wanted 0 or more",
        lambda: ops.softshrink(lamina.tensor([1.0]), -1.0),
    )
