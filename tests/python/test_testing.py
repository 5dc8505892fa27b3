"""The checks that lamina offers to plugin authors must find what is wrong."""

import numpy as np
import pytest

import lamina
from lamina import ops, testing


def test_a_wrong_gradient_is_found():
    def wrong(x):
        # Half of the value carries no gradient.
        return x * 0.5 + x.detach() * 0.5

    testing.check_gradients(lambda x: x * 1.0, [[1.0, 2.0]])
    with pytest.raises(AssertionError, match=r"gradient of input 0 at \(1,\): got "):
        testing.check_gradients(wrong, [[1.0, 2.0]])


def test_a_wrong_value_is_found():
    testing.assert_close(lamina.tensor([1.0]), [1.0 + 1e-6])
    with pytest.raises(AssertionError):
        testing.assert_close(lamina.tensor([1.0]), [1.001])
    with pytest.raises(AssertionError, match=r"shape \(1,\), wanted \(2,\)"):
        testing.assert_close(lamina.tensor([1.0]), [1.0, 1.0])
    with pytest.raises(AssertionError):
        testing.assert_close(lamina.tensor([np.nan]), [1.0])


def test_integers_are_exact():
    with pytest.raises(AssertionError):
        testing.assert_close(lamina.tensor(np.array([1000000])), np.array([1000001]))


def test_a_device_that_differs_is_found():
    testing.check_devices(ops.tanh, [[0.1, 0.2]])
    if len(testing.devices()) > 1:
        with pytest.raises(AssertionError, match="value on gpu:0 differs from the CPU's"):
            testing.check_devices(lambda x: x + (0.0 if x.device == "cpu" else 1.0), [[0.1, 0.2]])
