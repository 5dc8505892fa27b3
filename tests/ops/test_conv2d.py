"""Two-dimensional convolution."""

import numpy as np
import pytest

import lamina
from helpers import compare, normal
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
        lambda *a: oracle.conv2d(*a, **keywords),
        lambda gy, *a: oracle.conv2d_vjp(gy, *a, **keywords),
    )


def test_bias_residual_and_activation_in_the_convolution(device):
    x, w, b = normal(2, 5, 9, 9), normal(7, 5, 3, 3, seed=1), normal(7, seed=2)
    r = normal(2, 7, 9, 9, seed=3)

    def wanted(x, w, b, r):
        return np.maximum(oracle.conv2d(x, w, b, padding=1) + r, 0)

    def gradients(gy, x, w, b, r):
        g = gy * (wanted(x, w, b, r) > 0)
        return *oracle.conv2d_vjp(g, x, w, b, padding=1), g

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
        lambda x, a, b: oracle.conv2d(np.maximum(oracle.conv2d(x, a, padding=1), 0), b),
    )


def test_float16(device):
    x, w = normal(2, 8, 9, 9), normal(5, 8, 3, 3, seed=1)
    compare(ops.conv2d, [x, w], device, oracle.conv2d, None, dtype="float16")


def test_gradients_in_float64():
    lamina.testing.check_gradients(
        lambda *t: ops.conv2d(*t, stride=2, padding=1, groups=2),
        [normal(2, 4, 5, 5), normal(6, 2, 3, 3, seed=1), normal(6, seed=2)],
    )


TRANSPOSED = [
    ((2, 6, 5, 4), (6, 4, 3, 3), {}),
    ((2, 6, 5, 4), (6, 4, 4, 4), {"stride": 2, "padding": 1}),
    ((1, 6, 5, 4), (6, 4, 3, 2), {"stride": (2, 3), "padding": (1, 0), "output_padding": (1, 2)}),
    ((2, 6, 5, 4), (6, 2, 3, 3), {"stride": 2, "groups": 2, "output_padding": 1}),
    ((1, 3, 6, 6), (3, 5, 3, 3), {"dilation": 2, "padding": 2, "stride": 3}),
    ((2, 32, 9, 7), (32, 48, 2, 2), {"stride": 2}),
]


@pytest.mark.parametrize(("x", "w", "form"), TRANSPOSED, ids=str)
def test_conv_transpose2d(device, x, w, form):
    """The gradient of a convolution to its input, and that one's gradient is the convolution."""
    more = oracle.pair(form.get("output_padding", 0))
    back = {k: v for k, v in form.items() if k != "output_padding"}
    bias = normal(w[1] * form.get("groups", 1), seed=2)

    def size(axis):
        stride, padding, dilation = (
            oracle.pair(form.get(k, d))[axis] for k, d in (("stride", 1), ("padding", 0), ("dilation", 1))
        )
        return (x[axis + 2] - 1) * stride - 2 * padding + dilation * (w[axis + 2] - 1) + 1 + more[axis]

    def wanted(x, w, b):
        like = np.zeros((x.shape[0], len(b), size(0), size(1)))
        return oracle.conv2d_vjp(x, like, w, **back)[0] + b[:, None, None]

    def gradients(gy, x, w, b):
        return (
            oracle.conv2d(gy, w, **back),
            oracle.conv2d_vjp(x, gy, w, **back)[1],
            gy.sum(axis=(0, 2, 3)),
        )

    compare(
        lambda x, w, b: ops.conv_transpose2d(x, w, b, **form),
        [normal(*x), normal(*w, seed=1), bias],
        device,
        wanted,
        gradients,
    )


def test_conv_transpose2d_says_what_is_wrong():
    x = ops.zeros((1, 2, 3, 3))
    with pytest.raises(lamina.ShapeError, match="x has 2 channels, weight takes 3"):
        ops.conv_transpose2d(x, ops.zeros((3, 2, 3, 3)))
    with pytest.raises(lamina.ArgumentError, match="must be smaller than the stride or dilation"):
        ops.conv_transpose2d(x, ops.zeros((2, 2, 3, 3)), output_padding=1)
    with pytest.raises(lamina.ShapeError, match="leaves nothing of axis 2"):
        ops.conv_transpose2d(x, ops.zeros((2, 2, 3, 3)), padding=3)
    with pytest.raises(lamina.ArgumentError, match="groups=3 must divide"):
        lamina.nn.ConvTranspose2d(4, 6, 3, groups=3)
