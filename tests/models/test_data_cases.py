"""The onnx package's cases on disk, on every device: all pass but those of `MISSING`."""

import pytest
from conformance import FELL_BACK, OUT_OF_SCOPE, PASSED, UNSUPPORTED, judge
from data_cases import KINDS, MISSING, cases

EVERY = cases()

# Those of float64, which a GPU does not have: their steps run on the CPU.
DOUBLES = {
    "pytorch-operator/test_operator_add_broadcast",
    "pytorch-operator/test_operator_add_size1_broadcast",
    "pytorch-operator/test_operator_add_size1_right_broadcast",
    "pytorch-operator/test_operator_add_size1_singleton_broadcast",
    "pytorch-operator/test_operator_addconstant",
}


@pytest.mark.parametrize("name", EVERY)
def test_case(device, name):
    verdict = judge(EVERY[name], device)
    if name.startswith("simple/test_strnorm"):
        assert (verdict.status, verdict.why) == (OUT_OF_SCOPE, "StringNormalizer")
    elif name in MISSING:
        assert verdict.status == UNSUPPORTED
        assert MISSING[name] in verdict.why
    elif name in DOUBLES and device != "cpu":
        assert verdict.status == FELL_BACK
        assert "float64 does not exist on a GPU" in verdict.why
    else:
        assert (verdict.status, verdict.why) == (PASSED, "")


def test_they_are_all_there():
    counts = [sum(name.startswith(f"{kind}/") for name in EVERY) for kind in KINDS]
    assert all(n >= least for n, least in zip(counts, (80, 30, 20, 9), strict=True)), counts
