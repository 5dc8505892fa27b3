"""Convolutions and their transposes over one, two and three axes."""

import numpy as np
import pytest

import lamina
from helpers import compare, normal, raises
from lamina import ops
from oracle import product as oracle

# batch, in channels, height, width, out channels, kernel, keywords
CASES = {
    "one by one": (2, 31, 5, 7, 33, (1, 1), {}),
    "three by three": (2, 16, 9, 11, 17, (3, 3), {"padding": 1}),
    "odd stride": (2, 3, 13, 17, 8, (3, 5), {"stride": (3, 2), "padding": (1, 2)}),
    "dilated": (1, 4, 15, 14, 5, (3, 2), {"dilation": (2, 3), "padding": 2}),
    "uneven padding": (2, 3, 7, 8, 4, (3, 3), {"padding": ((0, 2), (1, 3))}),
    "same": (2, 3, 9, 10, 4, (4, 3), {"padding": "same"}),
    "same, strided": (1, 3, 11, 12, 4, (3, 4), {"padding": "same", "stride": 2}),
    "same_lower": (1, 3, 10, 9, 4, (4, 4), {"padding": "same_lower", "stride": (2, 1)}),
    "valid": (1, 2, 6, 6, 3, (3, 3), {"padding": "valid"}),
    "groups": (2, 12, 7, 9, 18, (3, 3), {"groups": 3, "padding": 1}),
    "depthwise": (2, 33, 9, 7, 33, (3, 3), {"groups": 33, "padding": 1}),
    "depthwise, strided": (1, 16, 12, 11, 16, (5, 5), {"groups": 16, "padding": 2, "stride": 2}),
    "depthwise, two each": (2, 8, 7, 7, 16, (3, 3), {"groups": 8, "padding": 1}),
    "stem": (1, 3, 33, 31, 24, (7, 7), {"stride": 2, "padding": 3}),
    "wide": (1, 40, 8, 8, 64, (3, 3), {"padding": 1}),
    "window as large as the input": (2, 5, 4, 3, 6, (4, 3), {}),
    "no batch": (0, 3, 5, 5, 4, (3, 3), {}),
}


@pytest.mark.parametrize("bias", [False, True], ids=["", "bias"])
@pytest.mark.parametrize("name", CASES)
def test_conv2d(device, name, bias):
    batch, in_c, height, width, out_c, kernel, keywords = CASES[name]
    inputs = [normal(batch, in_c, height, width)]
    inputs.append(normal(out_c, in_c // keywords.get("groups", 1), *kernel, seed=1))
    if bias:
        inputs.append(normal(out_c, seed=2))
    compare(
        lambda *t: ops.conv2d(*t, **keywords),
        inputs,
        device,
        lambda *a: oracle.conv(*a, **keywords),
        lambda gy, *a: oracle.conv_vjp(gy, *a, **keywords),
    )


def test_bias_residual_and_activation_in_the_convolution(device):
    x, w, b = normal(2, 5, 9, 9), normal(7, 5, 3, 3, seed=1), normal(7, seed=2)
    r = normal(2, 7, 9, 9, seed=3)

    def wanted(x, w, b, r):
        return np.maximum(oracle.conv(x, w, b, padding=1) + r, 0)

    def gradients(gy, x, w, b, r):
        g = gy * (wanted(x, w, b, r) > 0)
        return *oracle.conv_vjp(g, x, w, b, padding=1), g

    compare(
        lambda x, w, b, r: ops.relu(ops.conv2d(x, w, b, padding=1) + r),
        [x, w, b, r],
        device,
        wanted,
        gradients,
    )


def test_a_chain_of_convolutions(device):
    """Layouts between products are the planner's; the values are not."""
    x, w1, w2 = normal(1, 3, 14, 15), normal(19, 3, 3, 3, seed=1), normal(4, 19, 3, 3, seed=2)
    compare(
        lambda x, a, b: ops.conv2d(ops.relu(ops.conv2d(x, a, padding=1)), b),
        [x, w1, w2],
        device,
        lambda x, a, b: oracle.conv(np.maximum(oracle.conv(x, a, padding=1), 0), b),
    )


def test_float16(device):
    x, w = normal(2, 8, 9, 9), normal(5, 8, 3, 3, seed=1)
    compare(ops.conv2d, [x, w], device, oracle.conv, None, dtype="float16")


def test_gradients_in_float64():
    lamina.testing.check_gradients(
        lambda *t: ops.conv2d(*t, stride=2, padding=1, groups=2),
        [normal(2, 4, 5, 5), normal(6, 2, 3, 3, seed=1), normal(6, seed=2)],
    )


# batch, in channels, *sizes, then out channels and kernel, keywords
OTHER_CASES = {
    "1d": ((2, 5, 33), (7, 3), {"padding": 1}),
    "1d, strided": ((1, 16, 40), (31, 5), {"stride": 3, "padding": ((1, 2),)}),
    "1d, dilated, same": ((2, 3, 17), (4, 4), {"dilation": 3, "padding": "same"}),
    "1d, depthwise": ((2, 33, 19), (33, 3), {"groups": 33, "padding": 1}),
    "1d, pointwise": ((2, 4, 9), (6, 1), {}),
    "3d": ((2, 3, 5, 6, 7), (4, 3, 3, 3), {"padding": 1}),
    "3d, strided": ((1, 4, 7, 9, 8), (6, 3, 2, 3), {"stride": (2, 3, 1), "padding": (1, 0, 2)}),
    "3d, dilated": (
        (1, 2, 9, 8, 7),
        (3, 3, 2, 2),
        {"dilation": (3, 2, 1), "padding": ((1, 2), (0, 1), (2, 0))},
    ),
    "3d, groups": ((2, 6, 4, 5, 5), (9, 2, 3, 3), {"groups": 3}),
    "3d, depthwise": ((1, 16, 4, 6, 5), (16, 3, 3, 3), {"groups": 16, "padding": 1}),
    "3d, same": ((1, 3, 5, 6, 7), (4, 2, 4, 3), {"padding": "same", "stride": 2}),
    "3d, same_lower": ((1, 3, 5, 6, 7), (4, 2, 4, 3), {"padding": "same_lower"}),
    "3d, one deep": ((2, 3, 4, 5, 6), (5, 1, 3, 3), {"padding": (0, 1, 1)}),
    "3d, along the depth": ((2, 3, 6, 5, 4), (5, 3, 1, 1), {"padding": (1, 0, 0), "stride": (2, 1, 1)}),
    "3d, along the width": ((2, 3, 6, 5, 4), (5, 1, 1, 3), {}),
    "3d, pointwise": ((2, 3, 4, 5, 6), (5, 1, 1, 1), {}),
    "3d, the whole depth": ((2, 3, 4, 5, 6), (5, 4, 3, 3), {}),
    "3d, no batch": ((0, 3, 4, 5, 5), (4, 3, 3, 3), {}),
}


def _op(name, shape):
    """The op of as many axes."""
    return getattr(ops, f"{name}{len(shape) - 2}d")


@pytest.mark.parametrize("name", OTHER_CASES)
def test_conv_over_other_axes(device, name):
    shape, (out_c, *kernel), keywords = OTHER_CASES[name]
    weight = normal(out_c, shape[1] // keywords.get("groups", 1), *kernel, seed=1)
    compare(
        lambda *t: _op("conv", shape)(*t, **keywords),
        [normal(*shape), weight, normal(out_c, seed=2)],
        device,
        lambda *a: oracle.conv(*a, **keywords),
        lambda gy, *a: oracle.conv_vjp(gy, *a, **keywords),
    )


def test_a_chain_over_three_axes(device):
    x, w1, w2 = normal(1, 2, 5, 6, 7), normal(3, 2, 3, 3, 3, seed=1), normal(4, 3, 2, 2, 2, seed=2)
    compare(
        lambda x, a, b: ops.conv3d(ops.relu(ops.conv3d(x, a, padding=1)), b, stride=2),
        [x, w1, w2],
        device,
        lambda x, a, b: oracle.conv(np.maximum(oracle.conv(x, a, padding=1), 0), b, stride=2),
    )


TRANSPOSED = [
    ((2, 6, 5, 4), (6, 4, 3, 3), {}),
    ((2, 6, 5, 4), (6, 4, 4, 4), {"stride": 2, "padding": 1}),
    ((1, 6, 5, 4), (6, 4, 3, 2), {"stride": (2, 3), "padding": (1, 0), "output_padding": (1, 2)}),
    ((2, 6, 5, 4), (6, 2, 3, 3), {"stride": 2, "groups": 2, "output_padding": 1}),
    ((1, 3, 6, 6), (3, 5, 3, 3), {"dilation": 2, "padding": 2, "stride": 3}),
    ((2, 32, 9, 7), (32, 48, 2, 2), {"stride": 2}),
    ((1, 2, 3, 3), (2, 3, 3, 3), {"stride": 1, "dilation": 3, "output_padding": 2}),
    ((1, 2, 3, 3), (2, 3, 3, 3), {"padding": ((-1, 2), (0, -3)), "stride": 2}),
    ((1, 2, 3, 4), (2, 3, 3, 2), {"stride": (2, 3), "output_size": (8, 11)}),
    ((2, 4, 9), (4, 5, 3), {"stride": 2, "padding": 1, "output_padding": 1}),
    ((1, 6, 7), (6, 2, 4), {"groups": 2, "dilation": 2}),
    ((2, 3, 3, 4, 5), (3, 4, 3, 3, 3), {"stride": 2, "padding": 1, "output_padding": 1}),
    ((1, 4, 3, 4, 2), (4, 3, 2, 3, 4), {"stride": (3, 1, 2), "groups": 2, "padding": (0, 1, 2)}),
    ((1, 2, 3, 2, 2), (2, 3, 3, 2, 2), {"dilation": (2, 1, 3), "output_padding": (1, 0, 2)}),
    ((1, 2, 3, 2, 4), (2, 3, 2, 1, 1), {"stride": (2, 1, 1), "padding": ((1, -2), (0, 0), (0, 0))}),
    ((1, 2, 3, 2, 4), (2, 3, 1, 1, 1), {}),
]


def _begin_and_size(x, w, form):
    """Where the result begins in what the windows reach, and its sizes."""
    rank = len(x) - 2
    more, stride, dilation = (
        oracle.each(form.get(key, default), rank)
        for key, default in (("output_padding", 0), ("stride", 1), ("dilation", 1))
    )
    pads = oracle.paddings(form.get("padding", 0), x[2:], w[2:], stride, dilation)
    full = [(x[2 + a] - 1) * stride[a] + dilation[a] * (w[2 + a] - 1) + 1 for a in range(rank)]
    size = form.get("output_size", [full[a] - sum(pads[a]) + more[a] for a in range(rank)])
    return [before for before, _ in pads], size


@pytest.mark.parametrize(("x", "w", "form"), TRANSPOSED, ids=str)
def test_conv_transpose(device, x, w, form):
    begin, size = _begin_and_size(x, w, form)
    moves = {key: form[key] for key in ("stride", "dilation", "groups") if key in form}
    compare(
        lambda *t: _op("conv_transpose", x)(*t, **form),
        [normal(*x), normal(*w, seed=1), normal(w[1] * form.get("groups", 1), seed=2)],
        device,
        lambda *a: oracle.conv_transpose(*a, begin, size, **moves),
        lambda gy, *a: oracle.conv_transpose_vjp(gy, *a, begin, size, **moves),
    )


@pytest.mark.parametrize(("padding", "begin"), [("same", 0), ("same_lower", 1)])
def test_conv_transpose_of_the_same_size(device, padding, begin):
    """One more than twice the size: the odd one goes at the end, or at the start."""
    x, w, b = normal(1, 2, 4, 4, 4), normal(2, 3, 3, 3, 3, seed=1), normal(3, seed=2)
    compare(
        lambda *t: ops.conv_transpose3d(*t, stride=2, padding=padding),
        [x, w, b],
        device,
        lambda *a: oracle.conv_transpose(*a, [begin] * 3, [8] * 3, stride=2),
    )


def test_conv_says_what_is_wrong():
    raises(
        lamina.ShapeError,
        "conv1d: x has shape [1, 2, 3, 3], wanted (batch, channels, length)",
        lambda: ops.conv1d(ops.zeros((1, 2, 3, 3)), ops.zeros((2, 2, 3))),
    )
    x = ops.zeros((1, 2, 3, 3, 3))
    raises(
        lamina.ShapeError,
        "conv3d: weight has shape [2, 2, 3], wanted (out, in / groups) and 3 axes",
        lambda: ops.conv3d(x, ops.zeros((2, 2, 3))),
    )
    raises(
        lamina.ArgumentError,
        "conv3d: stride=[1, 2] holds 2 numbers, wanted one, or one for each of 3 axes",
        lambda: ops.conv3d(x, ops.zeros((2, 2, 3, 3, 3)), stride=(1, 2)),
    )
    raises(
        lamina.ArgumentError,
        "conv3d: padding=[-1, -1, -1, -1, -1, -1] holds -1; wanted 0 or more",
        lambda: ops.conv3d(x, ops.zeros((2, 2, 3, 3, 3)), padding=-1),
    )
    with pytest.raises(lamina.ShapeError, match=r"conv3d: a window of 4 does not fit in 3 \(axis 2"):
        ops.conv3d(x, ops.zeros((2, 2, 4, 3, 3)))
    with pytest.raises(lamina.ShapeError, match="conv3d: x has 2 channels in 1 group"):
        ops.conv3d(x, ops.zeros((2, 3, 3, 3, 3)))


def test_conv_transpose2d_says_what_is_wrong():
    x = ops.zeros((1, 2, 3, 3))
    with pytest.raises(lamina.ShapeError, match="x has 2 channels, weight takes 3"):
        ops.conv_transpose2d(x, ops.zeros((3, 2, 3, 3)))
    with pytest.raises(lamina.ArgumentError, match="must be smaller than the stride or dilation"):
        ops.conv_transpose2d(x, ops.zeros((2, 2, 3, 3)), output_padding=1)
    with pytest.raises(lamina.ShapeError, match="leaves nothing of axis 2"):
        ops.conv_transpose2d(x, ops.zeros((2, 2, 3, 3)), padding=3)
    with pytest.raises(lamina.ArgumentError, match="output_size=6 on axis 2, wanted 5 to 5"):
        ops.conv_transpose2d(x, ops.zeros((2, 2, 3, 3)), output_size=6)
    with pytest.raises(lamina.ArgumentError, match="groups=3 must divide"):
        lamina.nn.ConvTranspose2d(4, 6, 3, groups=3)
