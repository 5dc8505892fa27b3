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


def test_softplus_of_any_sharpness(device):
    for beta in (0.5, 2.0, -3.0):
        compare(
            lambda x, b=beta: ops.softplus(x, b),
            [normal(3, 33) * 30],
            device,
            lambda x, b=beta: np.logaddexp(0, b * x) / b,
        )


@pytest.mark.parametrize("dim", [0, 1, -1])
def test_glu_and_softmin(device, dim):
    def glu(x):
        value, gate = np.split(x, 2, dim)
        return value / (1 + np.exp(-gate))

    x = normal(4, 6, 8)
    compare(lambda t: ops.glu(t, dim), [x], device, glu)
    shares = lambda a: np.exp(-a) / np.exp(-a).sum(dim, keepdims=True)  # noqa: E731
    compare(lambda t: ops.softmin(t, dim), [x], device, shares)


# Each layer of an activation, and its op with the same arguments.
LAYERS = [
    (nn.ReLU(), ops.relu),
    (nn.ReLU6(), ops.relu6),
    (nn.LeakyReLU(0.3), lambda x: ops.leaky_relu(x, 0.3)),
    (nn.PReLU(), lambda x: ops.prelu(x, 0.25)),
    (nn.ELU(0.3), lambda x: ops.elu(x, 0.3)),
    (nn.CELU(0.3), lambda x: ops.celu(x, 0.3)),
    (nn.SELU(), ops.selu),
    (nn.GELU(), ops.gelu),
    (nn.SiLU(), ops.silu),
    (nn.Mish(), ops.mish),
    (nn.Hardswish(), ops.hardswish),
    (nn.Sigmoid(), ops.sigmoid),
    (nn.LogSigmoid(), ops.logsigmoid),
    (nn.Hardsigmoid(), ops.hardsigmoid),
    (nn.Tanh(), ops.tanh),
    (nn.Tanhshrink(), ops.tanhshrink),
    (nn.Hardtanh(-0.5, 0.7), lambda x: ops.hardtanh(x, -0.5, 0.7)),
    (nn.Softplus(2.0), lambda x: ops.softplus(x, 2.0)),
    (nn.Softsign(), ops.softsign),
    (nn.Hardshrink(0.2), lambda x: ops.hardshrink(x, 0.2)),
    (nn.Softshrink(0.2), lambda x: ops.softshrink(x, 0.2)),
    (nn.Threshold(0.2, -3.0), lambda x: ops.threshold(x, 0.2, -3.0)),
    (nn.GLU(1), lambda x: ops.glu(x, 1)),
    (nn.Softmax(1), lambda x: ops.softmax(x, 1)),
    (nn.Softmin(1), lambda x: ops.softmin(x, 1)),
    (nn.LogSoftmax(1), lambda x: ops.log_softmax(x, 1)),
]


@pytest.mark.parametrize(("layer", "op"), LAYERS, ids=lambda v: type(v).__name__)
def test_a_layer_is_its_op(layer, op):
    x = leaf(normal(3, 4, 5), "cpu").detach()
    for mode in (True, False):
        np.testing.assert_array_equal(layer.train(mode)(x).numpy(), op(x).numpy())


def test_printing_and_arguments():
    assert repr(nn.Hardtanh(max_val=2.0)) == "Hardtanh(min_val=-1.0, max_val=2.0)"
    assert repr(nn.Mish()) == "Mish()"
    assert repr(nn.GELU("tanh")) == "GELU(approximate='tanh')"
    with pytest.raises(TypeError):
        nn.ReLU(3)


def test_prelu_of_channels(device):
    layer = nn.PReLU(3, 0.5).to(device)
    x = normal(2, 3, 4, 5)
    layer.weight.assign(lamina.tensor(np.array([0.1, -0.2, 0.3], np.float32), device=device))
    slope = np.array([0.1, -0.2, 0.3]).reshape(3, 1, 1)
    got = layer(leaf(x, device))
    np.testing.assert_allclose(got.numpy(), np.where(x < 0, slope * x, x), rtol=1e-6)
    got.sum().backward()
    wanted = np.where(x < 0, x, 0).sum((0, 2, 3))
    np.testing.assert_allclose(layer.weight.grad.numpy(), wanted, rtol=1e-5)
    flat = layer(leaf(x[:, :, 0, 0], device))
    np.testing.assert_allclose(flat.numpy(), got.numpy()[:, :, 0, 0])


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
    raises(
        lamina.ArgumentError,
        "softplus: beta is 0, by which is divided",
        lambda: nn.Softplus(0.0)(lamina.tensor([1.0])),
    )
    raises(
        lamina.ShapeError,
        "glu: axis 0 of x [3] has 3 elements, wanted an even number",
        lambda: nn.GLU()(lamina.tensor([1.0, 2.0, 3.0])),
    )
    raises(
        lamina.ShapeError,
        "PReLU: x has shape (2, 4), wanted (batch, 3, ...): a channel for each parameter",
        lambda: nn.PReLU(3)(ops.zeros((2, 4))),
    )
