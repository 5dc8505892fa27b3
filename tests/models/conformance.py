"""The onnx package's node cases, judged: what passes where, operator by operator.

`python tests/models/conformance.py` prints the tables of README.md; with `--write` it also
writes what does not pass to `node_cases.json`, against which the tests hold every case.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import re
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper
from onnx.backend.test.case.node import collect_testcases

import lamina

# Verdicts.  A case passes in part on the CPU where the plan says so (`explain().fallbacks`).
PASSED, FELL_BACK, UNSUPPORTED, FAILED, OUT_OF_SCOPE = (
    "passed",
    "passed, with steps on the CPU",
    "unsupported",
    "failed",
    "out of scope",
)

KNOWN = Path(__file__).with_name("node_cases.json")

OTHER_DOMAINS = ("ai.onnx.ml", "ai.onnx.preview")
STRINGS_OR_FILES = {
    "ImageDecoder",
    "RegexFullMatch",
    "StringConcat",
    "StringNormalizer",
    "StringSplit",
    "DeformConv",
}

# Their expected values are NumPy's own random stream: held against the distribution.
RANDOM = re.compile(r"test_(bernoulli|training_dropout(?!_zero_ratio))")


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What became of a case, and why."""

    status: str
    why: str = ""


def cases() -> dict[str, onnx.backend.test.case.test_case.TestCase]:
    """All of them by name."""
    with warnings.catch_warnings():
        # Some cases compute their expected values with overflows on purpose.
        warnings.simplefilter("ignore")
        return {case.name: case for case in collect_testcases()}


def operator(case, every) -> str:
    """The operator that a case is about; an expanded function's case is about the function."""
    base = every.get(re.sub(r"_expanded.*$", "", case.name), case)
    return base.model.graph.node[0].op_type


def _of_strings(value_info) -> bool:
    kind = value_info.type
    while kind.WhichOneof("value") in ("sequence_type", "optional_type"):
        kind = getattr(kind, kind.WhichOneof("value")).elem_type
    return kind.tensor_type.elem_type == TensorProto.STRING


def out_of_scope(case) -> str:
    """Why a case is none of ours; empty if it is."""
    graph = case.model.graph
    for node in graph.node:
        if node.domain in OTHER_DOMAINS:
            return f"domain {node.domain}"
        if node.op_type in STRINGS_OR_FILES:
            return node.op_type
    if any(_of_strings(info) for info in (*graph.input, *graph.output)):
        return "strings"
    return ""


def array(value):
    """An input or output as an array, in the dtype that lamina has for it; a list of them, None."""
    if value is None:
        return None
    if isinstance(value, list):
        return [array(item) for item in value]
    if isinstance(value, TensorProto):
        return numpy_helper.to_array(value)
    return np.asarray(value)


def _close(case, got, wanted) -> None:
    if wanted is None or isinstance(wanted, list):
        assert type(got) is type(wanted)
        for have, want in zip(got or (), wanted or (), strict=True):
            _close(case, have, want)
        return
    assert got.dtype == wanted.dtype, f"dtype {got.dtype}, wanted {wanted.dtype}"
    assert got.shape == wanted.shape, f"shape {got.shape}, wanted {wanted.shape}"
    # The cases' rtol is less than one unit of a half-width float: an expected value that
    # rounds at every step of an expanded function differs from one that does not.
    rtol = case.rtol
    if wanted.dtype.name in ("float16", "bfloat16"):
        rtol = lamina.testing.tolerance(wanted.dtype.name, "sum").rtol
    if wanted.dtype.kind not in "biu":
        got, wanted = got.astype(np.float64), wanted.astype(np.float64)
    atol = max(case.atol, 1e-6)
    if wanted.size and case.model.graph.node[0].op_type in ("DFT", "STFT"):
        # Each coefficient is a sum over the whole input: what rounding leaves of one that should be
        # zero is in proportion to the others.
        atol *= max(1.0, np.abs(wanted).max())
    np.testing.assert_allclose(got, wanted, rtol=rtol, atol=atol)


def _random(case, inputs, results, outputs) -> None:
    """Counts and moments where the numbers themselves are somebody else's."""
    for have, wanted in zip(results, outputs, strict=True):
        assert (have.dtype, have.shape) == (wanted.dtype, wanted.shape)
    x, y = (np.asarray(a, np.float64) for a in (inputs[0], results[0]))
    if case.name.startswith("test_bernoulli"):
        assert set(np.unique(y)) <= {0.0, 1.0}
        spread = np.sqrt((x * (1 - x)).sum())
        assert abs(y.sum() - x.sum()) < 5 * spread + 1e-6
        return
    ratio = float(inputs[1]) if len(inputs) > 1 else 0.5
    kept = y != 0
    np.testing.assert_allclose(y[kept], x[kept] / (1 - ratio), rtol=1e-5)
    assert abs(kept.mean() - (1 - ratio)) < 5 * np.sqrt(ratio * (1 - ratio) / x.size)
    if len(results) > 1:
        np.testing.assert_array_equal(np.asarray(results[1]), kept)


def run(case, model) -> None:
    """Runs a loaded case; AssertionError where a result is not the expected one."""
    for inputs, outputs in case.data_sets:
        arrays = [array(x) for x in inputs]
        results = model.run({info.name: x for info, x in zip(model.inputs, arrays, strict=True)})
        got = [results[info.name] for info in model.outputs]
        if RANDOM.match(case.name):
            _random(case, arrays, got, outputs)
            continue
        for have, wanted in zip(got, outputs, strict=True):
            _close(case, have, array(wanted))


def fallbacks(case, model) -> list[str] | None:
    """The steps that run on the CPU although the model is on a GPU, as `explain` tells them."""
    inputs, _ = case.data_sets[0]
    named = {info.name: array(x) for info, x in zip(model.inputs, inputs, strict=True)}
    try:
        return list(model.explain(named).fallbacks)
    except lamina.UnsupportedError:
        return None  # Planned part by part, as it runs: there is no one plan.


def _attempt(case, device, strict) -> list[str] | None:
    """Loads, runs and compares; returns the steps that `explain` says run on the CPU."""
    model = lamina.onnx.load(case.model.SerializeToString(), device=device, strict=strict)
    run(case, model)
    return [] if strict or device == "cpu" else fallbacks(case, model)


def judge(case, device) -> Verdict:
    """Loads, runs and compares one case."""
    if why := out_of_scope(case):
        return Verdict(OUT_OF_SCOPE, why)
    try:
        try:
            _attempt(case, device, strict=True)
        except lamina.UnsupportedError as refused:
            moved = _attempt(case, device, strict=False)
            if moved is None and "strict: " in str(refused):
                moved = [str(refused)]
            assert moved, "strict refuses it, but explain tells of no step on the CPU"
            return Verdict(FELL_BACK, "; ".join(moved))
    except lamina.UnsupportedError as error:
        return Verdict(UNSUPPORTED, str(error).splitlines()[-1].strip())
    except Exception as error:
        return Verdict(FAILED, f"{type(error).__name__}: {error}")
    return Verdict(PASSED)


def table(verdicts, operators) -> str:
    """Markdown: the sums, then every operator of which a case is missing somewhere."""
    devices = list(verdicts)
    lines = [f"| cases | {' | '.join(d.upper() for d in devices)} |", f"|---|{'---:|' * len(devices)}"]
    for status in (PASSED, FELL_BACK, UNSUPPORTED, FAILED, OUT_OF_SCOPE):
        counts = [sum(v.status == status for v in verdicts[d].values()) for d in devices]
        if any(counts):
            lines.append(f"| {status} | {' | '.join(map(str, counts))} |")
    total = len(operators)
    lines += [f"| all | {' | '.join([str(total)] * len(devices))} |", ""]

    good = (PASSED, FELL_BACK)
    within = verdicts[devices[0]]
    sizes = Counter(op for n, op in operators.items() if within[n].status != OUT_OF_SCOPE)
    passed = {d: Counter(operators[n] for n, v in verdicts[d].items() if v.status in good) for d in devices}
    whole = [op for op in sizes if all(passed[d][op] == sizes[op] for d in devices)]
    lines += [
        f"Of {len(sizes)} operators in scope {len(whole)} pass every case on every device; the others:",
        "",
        f"| operator | {' | '.join(d.upper() for d in devices)} | cases |",
        f"|---|{'---:|' * (len(devices) + 1)}",
    ]
    lines[0], lines[-2] = (line.replace(":0", "") for line in (lines[0], lines[-2]))
    rest = sorted(set(sizes) - set(whole), key=lambda op: (-sizes[op], op))
    lines += [f"| {op} | {' | '.join(str(passed[d][op]) for d in devices)} | {sizes[op]} |" for op in rest]
    return "\n".join(lines)


def known(verdicts) -> dict[str, list[str]]:
    """The names of the cases that do not simply pass, by device and verdict."""
    found = {}
    for device, judged in verdicts.items():
        for status in (UNSUPPORTED, FELL_BACK):
            names = sorted(n for n, v in judged.items() if v.status == status)
            found[f"{device.split(':')[0]}: {status}"] = names
    return found


def _ranked(verdicts, operators) -> str:
    """Per device, the operators with cases that do not pass, most cases first, with reasons."""
    lines = []
    for device, found in verdicts.items():
        bad = {n: v for n, v in found.items() if v.status in (UNSUPPORTED, FAILED)}
        lines.append(f"== {device}: {len(bad)} unsupported or failing")
        for op, count in Counter(operators[n] for n in bad).most_common():
            reasons = Counter(f"{v.status}: {v.why[:150]}" for n, v in bad.items() if operators[n] == op)
            lines.append(f"{count:4} {op}")
            lines += [f"       {times:3} {why!r}" for why, times in reasons.most_common(4)]
    return "\n".join(lines)


def main() -> None:
    """Prints the tables; `--ranked FILE` writes what is missing, most cases first."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--device", action="append", help="cpu, gpu, gpu:N; may be given again")
    parser.add_argument("--match", default="", help="a regular expression that names cases")
    parser.add_argument("--ranked", type=Path, help="where to write what is missing and why")
    parser.add_argument("--write", action="store_true", help=f"write {KNOWN.name}")
    options = parser.parse_args()
    gpus = [str(d["device"]) for d in lamina.devices() if d["device"] != "cpu"]
    devices = options.device or ["cpu", *gpus[:1]]
    every = cases()
    chosen = {n: c for n, c in every.items() if re.search(options.match, n)}
    operators = {name: operator(case, every) for name, case in chosen.items()}
    verdicts = {}
    for device in devices:
        lamina.manual_seed(0)
        verdicts[device] = {name: judge(case, device) for name, case in chosen.items()}
    print(table(verdicts, operators))  # noqa: T201
    if options.write:
        KNOWN.write_text(json.dumps(known(verdicts), indent=1, sort_keys=True) + "\n")
    if options.ranked:
        options.ranked.write_text(_ranked(verdicts, operators) + "\n")


if __name__ == "__main__":
    main()
