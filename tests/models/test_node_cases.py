"""The onnx package's own node tests: whatever loads must be right, on every device."""

import warnings

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from onnx.backend.test.case.node import collect_testcases

import lamina

WANTED = 300

with warnings.catch_warnings():
    # Some cases compute their expected values with overflows on purpose.
    warnings.simplefilter("ignore")
    CASES = {case.name: case for case in collect_testcases()}


def load(case, device):
    """The loaded model, or None where it says that it cannot be."""
    try:
        return lamina.onnx.load(case.model.SerializeToString(), device=device)
    except lamina.UnsupportedError:
        return None


def array(value):
    return numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else np.asarray(value)


@pytest.mark.parametrize("name", CASES)
def test_node(device, name):
    case = CASES[name]
    model = load(case, device)
    if model is None:
        return
    for inputs, outputs in case.data_sets:
        named = {info.name: array(x) for info, x in zip(model.inputs, inputs, strict=True)}
        results = model.run(named)
        for info, wanted in zip(model.outputs, outputs, strict=True):
            got, wanted = results[info.name], array(wanted)
            assert got.dtype == wanted.dtype
            assert got.shape == wanted.shape
            # The cases' rtol is less than one unit of a half-width float: an expected value that
            # rounds at every step of an expanded function differs from one that does not.
            rtol = case.rtol
            if wanted.dtype.name in ("float16", "bfloat16"):
                rtol = lamina.testing.tolerance(wanted.dtype.name, "sum").rtol
                got, wanted = got.astype(np.float32), wanted.astype(np.float32)
            np.testing.assert_allclose(got, wanted, rtol=rtol, atol=max(case.atol, 1e-6))


def test_enough_of_them_load():
    loaded = [name for name, case in CASES.items() if load(case, "cpu") is not None]
    assert len(loaded) >= WANTED
