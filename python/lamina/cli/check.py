"""`lamina onnx check`: what a model would do here, before a run."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from lamina import onnx
from lamina._lamina import ArgumentError, ValueInfo
from lamina.cli.tables import table


def check_model(path: Path, device: str, shapes: list[str], nodes: bool, as_json: bool) -> bool:
    """Prints the report on a model; true if nothing is missing.

    Raises:
        LaminaError: The file is no model, or shapes do not fit it.
    """
    report = onnx.check(path, device=device, shapes=parsed(shapes))
    console = Console()
    if as_json:
        console.print_json(json.dumps(_plain(report)))
        return bool(report)
    _print_summary(console, path, report)
    if nodes:
        made = table("Nodes", ("node", "operator", "opset", "runs on", "why"))
        for node in report.nodes:
            made.add_row(node.name, node.operator, str(node.opset), _where(report, node), node.why)
    else:
        made = table("Operators", ("operator", "opset", "nodes", "runs on", "why"), right=("opset", "nodes"))
        for count in report.counts():
            like = onnx.Node(count.first, count.operator, count.opset, count.verdict, count.why)
            why = f"{count.why} (first: {count.first})" if count.why else ""
            made.add_row(count.operator, str(count.opset), str(count.nodes), _where(report, like), why)
    console.print(made)
    for what, why in report.missing:
        console.print(f"missing: {what}: {why}", markup=False, soft_wrap=True)
    console.print(_conclusion(report), markup=False, soft_wrap=True)
    return bool(report)


def parsed(words: list[str]) -> dict[str, int | list[int | None]]:
    """`N=4` and `x=1,3,?` as `lamina.onnx.load` takes them."""
    found: dict[str, int | list[int | None]] = {}
    for word in words:
        name, equals, text = word.rpartition("=")
        parts = [part.strip() for part in text.split(",")]
        if not equals or not all(part == "?" or part.isdecimal() for part in parts):
            raise ArgumentError(f"--shapes {word}: wanted NAME=SIZE or INPUT=SIZE,SIZE,... with ? for any")
        sizes = [None if part == "?" else int(part) for part in parts]
        first = sizes[0]
        found[name] = first if len(sizes) == 1 and first is not None else sizes
    return found


def _print_summary(console: Console, path: Path, report: onnx.Report) -> None:
    opsets = ", ".join(f"{domain or 'ai.onnx'} {version}" for domain, version in report.opsets.items())
    console.print(
        f"{path} on {report.device}: operator sets {opsets or 'none'}", markup=False, soft_wrap=True
    )
    for what, infos in (("in", report.inputs), ("out", report.outputs)):
        for info in infos:
            console.print(f"  {what:3} {_described(info)}", markup=False, soft_wrap=True)


def _described(info: ValueInfo) -> str:
    return repr(info).removeprefix("ValueInfo(").removesuffix(")")


def _where(report: onnx.Report, node: onnx.Node) -> str:
    words = {
        onnx.Verdict.FALLS_BACK: "cpu (fallback)",
        onnx.Verdict.CONSTANT: "once, at load",
        onnx.Verdict.AT_RUN: f"{report.runs_on(node)}, once sizes are known",
        onnx.Verdict.MISSING: "nothing: missing",
        onnx.Verdict.WRONG: "nothing: wrong",
    }
    return words.get(node.verdict, report.runs_on(node))


def _conclusion(report: onnx.Report) -> str:
    problems = len(report.problems)
    if not report:
        return (
            f"It does not load: {problems} of {len(report.nodes)} nodes, {len(report.missing)} other things."
        )
    fallbacks = len(report.fallbacks)
    beside = f", {fallbacks} of them on the CPU for want of a kernel" if fallbacks else ""
    parts = "; shapes depend on data: planned part by part" if report.data_dependent else ""
    return f"It runs: {len(report.nodes)} nodes{beside}{parts}."


def _plain(report: onnx.Report) -> dict[str, object]:
    return {
        "runs": bool(report),
        "device": report.device,
        "opsets": report.opsets,
        "inputs": [_described(info) for info in report.inputs],
        "outputs": [_described(info) for info in report.outputs],
        "missing": [{"what": what, "why": why} for what, why in report.missing],
        "data_dependent": report.data_dependent,
        "nodes": [
            {**asdict(node), "verdict": node.verdict.value, "device": report.runs_on(node)}
            for node in report.nodes
        ],
    }
