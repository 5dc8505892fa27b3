"""The onnx package's cases on disk, on every device; what does not pass, and why."""

import pytest
from conformance import OUT_OF_SCOPE, PASSED, UNSUPPORTED, Verdict, judge
from data_cases import KINDS, cases

EVERY = cases()

# By device: what is not supported, and the reason that lamina gives.
EXPECTED: dict[str, dict[str, Verdict]] = {"cpu": {}, "gpu": {}}


@pytest.mark.parametrize("name", EVERY)
def test_case(device, name):
    verdict = judge(EVERY[name], device)
    expected = EXPECTED[device.split(":")[0]].get(name)
    if name.startswith("simple/test_strnorm"):
        expected = Verdict(OUT_OF_SCOPE, "StringNormalizer")
    assert verdict == (expected or Verdict(PASSED))


@pytest.mark.parametrize(("kind", "least"), zip(KINDS, (80, 30, 14, 9), strict=True))
def test_they_are_all_there(kind, least):
    assert sum(name.startswith(f"{kind}/") for name in EVERY) >= least


def test_reasons_are_given():
    for found in EXPECTED.values():
        assert all(v.status == UNSUPPORTED and v.why for v in found.values())
