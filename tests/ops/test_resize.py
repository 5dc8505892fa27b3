"""Resizing by ONNX's conventions."""

import pytest

import lamina
from helpers import compare, normal
from lamina import ops
from oracle.resize import resize


@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
@pytest.mark.parametrize("coordinates", ["half_pixel", "align_corners", "asymmetric", "pytorch_half_pixel"])
@pytest.mark.parametrize("size", [(10, 14), (3, 5), (5, 7), (1, 33)], ids=str)
def test_resize(device, mode, coordinates, size):
    compare(
        lambda t: ops.resize(t, size=size, mode=mode, coordinate_mode=coordinates),
        [normal(2, 3, 5, 7)],
        device,
        lambda a: resize(a, size, None, mode, coordinates),
    )


@pytest.mark.parametrize("nearest", ["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"])
def test_nearest(device, nearest):
    compare(
        lambda t: ops.resize(t, scales=(1.5, 0.6), nearest_mode=nearest, coordinate_mode="asymmetric"),
        [normal(1, 2, 6, 10)],
        device,
        lambda a: resize(a, None, (1.5, 0.6), "nearest", "asymmetric", nearest),
    )


@pytest.mark.parametrize("mode", ["nearest", "linear"])
def test_gradients_in_float64(mode):
    lamina.testing.check_gradients(lambda t: ops.resize(t, size=(5, 3), mode=mode), [normal(1, 2, 3, 4)])
