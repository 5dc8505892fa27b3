"""The onnx package's own node cases, on every device: each gives what `node_cases.json` says."""

import json

import pytest
from conformance import FELL_BACK, KNOWN, OUT_OF_SCOPE, PASSED, UNSUPPORTED, cases, judge, out_of_scope

EVERY = cases()
MISSING = {where: frozenset(names) for where, names in json.loads(KNOWN.read_text()).items()}

# Those that pass at least; `conformance.py --write` may only ever raise them.
LEAST = {"cpu": 1530, "gpu": 1465}


def expected(device, name):
    """What is known of a case; one that nothing is known of has to pass."""
    for status in (UNSUPPORTED, FELL_BACK):
        if name in MISSING.get(f"{device.split(':')[0]}: {status}", ()):
            return status
    return PASSED


@pytest.mark.parametrize("name", [name for name, case in EVERY.items() if not out_of_scope(case)])
def test_node(device, name):
    verdict = judge(EVERY[name], device)
    assert (verdict.status, verdict.why if verdict.status != expected(device, name) else "") == (
        expected(device, name),
        "",
    )


@pytest.mark.parametrize("where", LEAST)
def test_enough_of_them_pass(where):
    ours = [name for name, case in EVERY.items() if not out_of_scope(case)]
    assert sum(expected(where, name) != UNSUPPORTED for name in ours) >= LEAST[where]


def test_what_is_out_of_scope_is_few():
    outside = [name for name, case in EVERY.items() if out_of_scope(case)]
    assert OUT_OF_SCOPE
    assert len(outside) < 60
