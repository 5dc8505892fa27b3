"""Group, instance and RMS normalisation, and that over neighbouring channels."""

import numpy as np
import pytest

import lamina
from helpers import compare, leaf, normal, raises
from lamina import nn, ops
from oracle import norm as oracle

EPS = 1e-3
# The shape of x, and the number of groups.
SHAPES = [
    ((4, 6, 5, 7), 2),
    ((2, 33, 1, 9), 3),
    ((3, 8), 2),
    ((2, 4, 33), 4),
    ((1, 2, 16, 17, 5), 1),
    ((2, 32, 2, 2), 32),
    ((0, 4, 3), 2),
]
ROWS = [((4, 31), 1), ((3, 5, 32), 1), ((2, 7, 33), 2), ((300, 3), 1), ((2, 4097), 1), ((0, 5), 1)]


def _inputs(shape):
    return [normal(*shape) * 2 + 1, normal(shape[1], seed=1) + 1, normal(shape[1], seed=2)]


def _row_inputs(shape, axes):
    return [normal(*shape) * 2 + 1, normal(*shape[len(shape) - axes :], seed=1) + 1]


@pytest.mark.parametrize(("shape", "groups"), SHAPES, ids=str)
def test_group_norm(device, shape, groups):
    compare(
        lambda x, w, b: ops.group_norm(x, groups, w, b, EPS),
        _inputs(shape),
        device,
        lambda *a: oracle.group_norm(*a, groups, EPS),
        lambda gy, *a: oracle.group_norm_vjp(gy, *a, groups, EPS),
    )


@pytest.mark.parametrize("shape", [(4, 6, 5, 7), (2, 33, 9), (1, 2, 6, 7, 5)], ids=str)
def test_instance_norm(device, shape):
    compare(
        lambda x, w, b: ops.instance_norm(x, w, b, EPS),
        _inputs(shape),
        device,
        lambda *a: oracle.group_norm(*a, shape[1], EPS),
        lambda gy, *a: oracle.group_norm_vjp(gy, *a, shape[1], EPS),
    )


@pytest.mark.parametrize(("shape", "axes"), ROWS, ids=str)
def test_rms_norm(device, shape, axes):
    compare(
        lambda x, w: ops.rms_norm(x, w.shape, w, EPS),
        _row_inputs(shape, axes),
        device,
        lambda *a: oracle.rms_norm(*a, EPS),
        lambda gy, *a: oracle.rms_norm_vjp(gy, *a, EPS),
    )


@pytest.mark.parametrize("dtype", ["float16", "float32"])
@pytest.mark.parametrize("size", [1, 2, 3, 4, 9])
def test_local_response_norm(device, dtype, size):
    for shape in [(2, 5), (2, 5, 3), (1, 7, 3, 4)]:
        compare(
            lambda x: ops.local_response_norm(x, size, 0.7, 0.6, 1.5),
            [normal(*shape) * 3],
            device,
            lambda x: oracle.local_response_norm(x, size, 0.7, 0.6, 1.5),
            dtype=dtype,
        )


def test_a_large_mean_leaves_the_deviations_right(device):
    inputs = [normal(2, 4, 9, 9) + 1000.0, np.ones(4), np.zeros(4)]
    compare(
        lambda x, w, b: ops.group_norm(x, 2, w, b, EPS),
        inputs,
        device,
        lambda *a: oracle.group_norm(*a, 2, EPS),
    )


def test_float16_is_computed_wide(device):
    compare(
        lambda x, w, b: ops.group_norm(x, 2, w, b, EPS),
        _inputs((2, 4, 5, 5)),
        device,
        lambda *a: oracle.group_norm(*a, 2, EPS),
        lambda gy, *a: oracle.group_norm_vjp(gy, *a, 2, EPS),
        dtype="float16",
    )
    compare(
        lambda x, w: ops.rms_norm(x, 33, w, EPS),
        _row_inputs((5, 33), 1),
        device,
        lambda *a: oracle.rms_norm(*a, EPS),
        dtype="float16",
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_without_an_eps_it_is_that_of_the_dtype(dtype):
    x = leaf(np.full((1, 4), 1e-9), "cpu", dtype)
    wanted = 1e-9 / np.sqrt(1e-18 + np.finfo(dtype).eps)
    np.testing.assert_allclose(ops.rms_norm(x, 4).numpy(), np.full((1, 4), wanted), rtol=1e-6)


def test_weight_and_bias_may_be_missing(device):
    x, w, b = _inputs((2, 4, 3))
    ones, zeros = np.ones(4), np.zeros(4)
    of = lambda w, b: lambda a: oracle.group_norm(a, w, b, 2, EPS)  # noqa: E731
    place = {"device": device}
    compare(lambda t: ops.group_norm(t, 2, eps=EPS), [x], device, of(ones, zeros))
    weight, bias = (lamina.tensor(v.astype(np.float32), **place) for v in (w, b))
    compare(lambda t: ops.group_norm(t, 2, weight, eps=EPS), [x], device, of(w, zeros))
    compare(lambda t: ops.group_norm(t, 2, bias=bias, eps=EPS), [x], device, of(ones, b))


def test_one_step_and_nothing_leaves_the_gpu(device):
    x, w, b = (leaf(a, device) for a in _inputs((2, 6, 5, 7)))
    for y in (ops.group_norm(x, 3, w, b), ops.instance_norm(x, w, b), ops.rms_norm(x, 7)):
        steps = [step.op for step in lamina.explain(y).steps]
        assert len([op for op in steps if op != "copy"]) == 1  # beside scales that were not given
        assert lamina.explain(y).fallbacks == []
        assert lamina.explain(lamina.grad(y.sum(), [x])[0]).fallbacks == []


def test_layers(device):
    x = leaf(normal(2, 4, 3, 5), device)
    layer = nn.GroupNorm(2, 4).to(device)
    assert list(layer.state_dict()) == ["weight", "bias"]
    wanted = ops.group_norm(x, 2, layer.weight, layer.bias)
    np.testing.assert_array_equal(layer(x).numpy(), wanted.numpy())
    assert list(nn.GroupNorm(2, 4, affine=False).state_dict()) == []
    assert repr(layer) == "GroupNorm(2, 4, eps=1e-05, affine=True)"
    layer = nn.RMSNorm((3, 5)).to(device)
    assert list(layer.state_dict()) == ["weight"]
    np.testing.assert_array_equal(layer(x).numpy(), ops.rms_norm(x, (3, 5), layer.weight).numpy())
    layer = nn.LocalResponseNorm(3, alpha=0.1)
    assert repr(layer) == "LocalResponseNorm(size=3, alpha=0.1, beta=0.75, k=1.0)"
    np.testing.assert_array_equal(layer(x).numpy(), ops.local_response_norm(x, 3, 0.1).numpy())


def test_instance_norm_tracks_the_samples_statistics(device):
    layer = nn.InstanceNorm2d(3, affine=True, track_running_stats=True).to(device)
    assert list(layer.state_dict()) == [
        "weight",
        "bias",
        "running_mean",
        "running_var",
        "num_batches_tracked",
    ]
    x = normal(4, 3, 5, 6) * 2 + 1
    y = layer(leaf(x, device))
    np.testing.assert_allclose(y.numpy().mean((2, 3)), np.zeros((4, 3)), atol=1e-6)
    mean, var = 0.1 * x.mean((2, 3)).mean(0), 0.9 + 0.1 * x.var((2, 3), ddof=1).mean(0)
    np.testing.assert_allclose(layer.running_mean.tensor.numpy(), mean, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(layer.running_var.tensor.numpy(), var, rtol=1e-5)
    layer.eval()
    wanted = (x - mean.reshape(3, 1, 1)) / np.sqrt(var.reshape(3, 1, 1) + 1e-5)
    np.testing.assert_allclose(layer(leaf(x, device)).numpy(), wanted, rtol=1e-4, atol=1e-5)
    plain = nn.InstanceNorm2d(3)
    assert list(plain.state_dict()) == []


def test_batch_norm_without_running_statistics_or_scales():
    x = leaf(normal(4, 3, 7), "cpu")
    layer = nn.BatchNorm1d(3, affine=False, track_running_stats=False)
    assert list(layer.state_dict()) == []
    wanted = oracle.batch_norm_training(x.detach().numpy().astype(float), np.ones(3), np.zeros(3), 1e-5)[0]
    for mode in (True, False):
        np.testing.assert_allclose(layer.train(mode)(x).numpy(), wanted, rtol=1e-5, atol=1e-5)
    flat = nn.BatchNorm1d(3)
    flat(leaf(normal(5, 3), "cpu"))
    volume = nn.BatchNorm3d(3)
    volume(leaf(normal(2, 3, 2, 2, 2), "cpu"))
    assert flat.num_batches_tracked.tensor.item() == volume.num_batches_tracked.tensor.item() == 1


def test_mistakes():
    x = ops.zeros((2, 6, 3))
    cases = [
        (
            lamina.ArgumentError,
            "group_norm: num_groups=4 must divide the 6 channels of x [2, 6, 3]",
            lambda: ops.group_norm(x, 4),
        ),
        (
            lamina.ArgumentError,
            "group_norm: num_groups=0 must divide the 6 channels of x [2, 6, 3]",
            lambda: ops.group_norm(x, 0),
        ),
        (
            lamina.ShapeError,
            "group_norm: weight has shape [3], wanted [6], one for each channel of x [2, 6, 3]",
            lambda: ops.group_norm(x, 2, ops.ones((3,))),
        ),
        (
            lamina.ShapeError,
            "instance_norm: x has shape [2, 6], wanted (batch, channels, ...) with at least one more axis",
            lambda: ops.instance_norm(x[:, :, 0]),
        ),
        (
            lamina.ShapeError,
            "rms_norm: x has shape [2, 6, 3], normalized_shape is [4]; x must end in it",
            lambda: ops.rms_norm(x, 4),
        ),
        (
            lamina.ArgumentError,
            "local_response_norm: size=0, wanted 1 or more",
            lambda: ops.local_response_norm(x, 0),
        ),
        (
            lamina.ArgumentError,
            "GroupNorm: num_groups=4 must divide num_channels=6",
            lambda: nn.GroupNorm(4, 6),
        ),
        (
            lamina.ShapeError,
            "BatchNorm1d: x has shape (2, 6, 3, 1), wanted 2 or 3 axes: (batch, 6, ...)",
            lambda: nn.BatchNorm1d(6)(ops.zeros((2, 6, 3, 1))),
        ),
        (
            lamina.ShapeError,
            "InstanceNorm2d: x has shape (2, 6, 3, 1), wanted 4 axes: (batch, 5, ...)",
            lambda: nn.InstanceNorm2d(5)(ops.zeros((2, 6, 3, 1))),
        ),
        (
            lamina.ShapeError,
            "InstanceNorm1d: training needs at least two values per channel of a sample, "
            "got 1 from shape (2, 6, 1)",
            lambda: nn.InstanceNorm1d(6)(ops.zeros((2, 6, 1))),
        ),
    ]
    for error, message, call in cases:
        raises(error, message, call)
