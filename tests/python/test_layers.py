"""Layers without much arithmetic: borders, moved pixels, dropout, tables of rows."""

import numpy as np
import pytest

import lamina
from helpers import leaf, normal, raises
from lamina import nn, ops

PADS = [
    (nn.ConstantPad1d((1, 2), 7.0), 3, "constant"),
    (nn.ConstantPad2d((1, 2, 0, 3), 7.0), 4, "constant"),
    (nn.ConstantPad3d((1, 2, 0, 3, 1, 1), 7.0), 5, "constant"),
    (nn.ZeroPad1d(2), 3, "constant"),
    (nn.ZeroPad2d((1, 0, 2, 0)), 4, "constant"),
    (nn.ZeroPad3d(1), 5, "constant"),
    (nn.ReflectionPad1d((1, 2)), 3, "reflect"),
    (nn.ReflectionPad2d((1, 2, 0, 3)), 4, "reflect"),
    (nn.ReflectionPad3d((1, 2, 0, 3, 1, 1)), 5, "reflect"),
    (nn.ReplicationPad1d((1, 2)), 3, "edge"),
    (nn.ReplicationPad2d((1, 2, 0, 3)), 4, "edge"),
    (nn.ReplicationPad3d((1, 2, 0, 3, 1, 1)), 5, "edge"),
]


@pytest.mark.parametrize(("layer", "rank", "mode"), PADS, ids=lambda v: type(v).__name__)
def test_borders(device, layer, rank, mode):
    x = normal(*(2, 3, 4, 5, 4)[:rank])
    pairs = [(0, 0)] * 2 + [layer.padding[2 * i : 2 * i + 2] for i in range(rank - 2)][::-1]
    more = {"constant_values": layer.value} if mode == "constant" else {}
    wanted = np.pad(x.astype(np.float32), pairs, mode, **more)
    np.testing.assert_array_equal(layer(leaf(x, device)).numpy(), wanted)


@pytest.mark.parametrize("r", [1, 2, 3])
def test_pixels_are_shuffled_and_back(device, r):
    x = normal(2, 2 * r * r, 3, 4)
    wanted = np.empty((2, 2, 3 * r, 4 * r), np.float32)
    for c, i, j in np.ndindex(2, r, r):
        wanted[:, c, i::r, j::r] = x[:, (c * r + i) * r + j]
    t = leaf(x, device)
    np.testing.assert_array_equal(nn.PixelShuffle(r)(t).numpy(), wanted)
    np.testing.assert_array_equal(nn.PixelUnshuffle(r)(nn.PixelShuffle(r)(t)).numpy(), t.numpy())
    np.testing.assert_array_equal(ops.space_to_depth(ops.depth_to_space(t, r), r).numpy(), t.numpy())
    # The depth comes last among the channels.
    moved = ops.depth_to_space(t, r).numpy()
    for c, i, j in np.ndindex(2, r, r):
        np.testing.assert_array_equal(moved[:, c, i::r, j::r], t.numpy()[:, (i * r + j) * 2 + c])


def test_channels_are_shuffled(device):
    x = normal(2, 6, 3)
    got = nn.ChannelShuffle(3)(leaf(x, device))
    np.testing.assert_array_equal(got.numpy(), x.astype(np.float32)[:, [0, 2, 4, 1, 3, 5]])


def test_axes_are_parted():
    x = leaf(normal(2, 12, 3), "cpu")
    for sizes in [(3, 4), (3, -1), (-1,), (2, 3, 2)]:
        got = nn.Unflatten(1, sizes)(x)
        np.testing.assert_array_equal(got.numpy(), x.numpy().reshape(2, *sizes, 3))
    assert ops.unflatten(x, -2, (4, 3)).shape == (2, 4, 3, 3)


@pytest.mark.parametrize("align", [False, True])
@pytest.mark.parametrize("mode", ["nearest", "bilinear", "bicubic"])
def test_images_at_another_size(device, mode, align):
    """A ramp stays a ramp away from the borders."""
    if mode == "nearest" and align:
        with pytest.raises(lamina.ArgumentError):
            nn.Upsample(scale_factor=2.0, mode=mode, align_corners=True)(None)
        return
    ramp = np.broadcast_to(np.arange(8.0).reshape(1, 1, 1, 8), (1, 2, 3, 8))
    got = nn.Upsample(size=(6, 16), mode=mode, align_corners=align)(leaf(ramp, device)).numpy()
    at = np.arange(16)
    wanted = at // 2 if mode == "nearest" else at * 7 / 15 if align else (at + 0.5) / 2 - 0.5
    if mode == "bicubic":  # with Keys' -0.75 a ramp is bent between pixels
        t = wanted % 1
        wanted = wanted - t + t**3 - 1.5 * t**2 + 1.5 * t
    assert got.shape == (1, 2, 6, 16)
    np.testing.assert_allclose(got[0, 0, 2, 4:12], wanted[4:12], rtol=1e-5)
    factor = nn.Upsample(scale_factor=2.0, mode=mode, align_corners=align)(leaf(ramp, device))
    np.testing.assert_allclose(factor.numpy(), got, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("layer", [nn.Dropout1d, nn.Dropout2d, nn.Dropout3d])
def test_channels_are_dropped_whole(device, layer):
    axes = int(layer.__name__[-2])
    x = ops.ones((64, 32, *[3] * axes), device=device)
    got = layer(0.25)(x).numpy().reshape(64 * 32, -1)
    assert (got == got[:, :1]).all()
    assert set(np.unique(got)) == {np.float32(0), np.float32(1 / 0.75)}
    assert abs((got == 0).mean() - 0.25) < 0.04
    assert layer(0.25).eval()(x) is x


def test_alpha_dropout_keeps_mean_and_variance(device):
    x = leaf(normal(200, 500), device)
    for p in (0.1, 0.5):
        got = nn.AlphaDropout(p)(x).numpy()
        assert abs(got.mean()) < 0.02
        assert abs(got.std() - 1) < 0.02
        values, counts = np.unique(got, return_counts=True)
        assert abs(counts.max() / got.size - p) < 0.01
        c = -1.7580993408473766
        a = ((1 - p) * (1 + p * c * c)) ** -0.5
        np.testing.assert_allclose(values[counts.argmax()], a * c - a * p * c, rtol=1e-5)


def test_a_row_of_padding_stays(device):
    layer = nn.Embedding(5, 3, padding_idx=-4).to(device)
    assert repr(layer) == "Embedding(5, 3, padding_idx=1)"
    assert (layer.weight.tensor.numpy()[1] == 0).all()
    assert (layer.weight.tensor.numpy()[[0, 2, 3, 4]] != 0).all()
    index = lamina.tensor(np.array([[1, 4], [1, 0]]), device=device)
    layer(index).sum().backward()
    np.testing.assert_array_equal(layer.weight.grad.numpy()[:, 0], [1.0, 0.0, 0.0, 0.0, 1.0])


def test_bags_of_rows(device):
    layer = nn.EmbeddingBag(5, 3, "sum").to(device)
    assert repr(layer) == "EmbeddingBag(5, 3, mode='sum')"
    index = np.array([[1, 4], [1, 1]])
    scale = leaf(normal(2, 2), device)
    rows = layer.weight.tensor.numpy()[index]
    t = lamina.tensor(index, device=device)
    np.testing.assert_allclose(layer(t).numpy(), rows.sum(1), rtol=1e-5, atol=1e-6)
    wanted = (rows * scale.numpy()[..., None]).sum(1)
    np.testing.assert_allclose(layer(t, scale).numpy(), wanted, rtol=1e-5, atol=1e-6)


def test_bilinear_layer(device):
    layer = nn.Bilinear(3, 2, 4).to(device)
    assert list(layer.state_dict()) == ["weight", "bias"]
    assert np.abs(layer.weight.tensor.numpy()).max() <= 1 / np.sqrt(3)
    a, b = leaf(normal(5, 3), device), leaf(normal(5, 2), device)
    wanted = ops.bilinear(a, b, layer.weight, layer.bias)
    np.testing.assert_array_equal(layer(a, b).numpy(), wanted.numpy())
    assert repr(layer) == "Bilinear(3, 2, 4, bias=True)"


def test_mistakes():
    x = ops.zeros((1, 6, 4, 4))
    cases = [
        (
            lamina.ArgumentError,
            "ZeroPad2d: padding=(1, 2); wanted a number, or 4 of them: before and after the last axis, "
            "then of those in front of it",
            lambda: nn.ZeroPad2d((1, 2)),
        ),
        (
            lamina.ShapeError,
            "ZeroPad3d: x has shape (2, 2), wanted 3 axes or more",
            lambda: nn.ZeroPad3d(1)(ops.zeros((2, 2))),
        ),
        (
            lamina.ShapeError,
            "depth_to_space: 6 channels do not divide by the block's 4",
            lambda: nn.PixelShuffle(2)(x),
        ),
        (
            lamina.ShapeError,
            "space_to_depth: a picture of 4 x 4 does not divide by blocks of 3",
            lambda: nn.PixelUnshuffle(3)(x),
        ),
        (
            lamina.ArgumentError,
            "depth_to_space: block_size=0 is not within 1 and 65535",
            lambda: nn.PixelShuffle(0)(x),
        ),
        (
            lamina.ArgumentError,
            "channel_shuffle: groups=4 must divide the 6 channels of x [1, 6, 4, 4]",
            lambda: nn.ChannelShuffle(4)(x),
        ),
        (
            lamina.ShapeError,
            "unflatten: sizes=[4, -1] do not make up axis 1 of x [1, 6, 4, 4], which has 6",
            lambda: nn.Unflatten(1, (4, -1))(x),
        ),
        (
            lamina.ShapeError,
            "feature_dropout: x has shape [3], wanted (batch, channels, ...)",
            lambda: nn.Dropout2d()(ops.zeros((3,))),
        ),
        (lamina.ArgumentError, "Dropout2d: p=1.0 is not in [0, 1)", lambda: nn.Dropout2d(1.0)),
        (
            lamina.ArgumentError,
            "Embedding: padding_idx=5 is none of 5 rows",
            lambda: nn.Embedding(5, 3, padding_idx=5),
        ),
    ]
    for error, message, call in cases:
        raises(error, message, call)
