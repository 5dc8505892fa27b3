"""What `lamina run --profile` measures and prints."""

from __future__ import annotations

import time
from collections.abc import Mapping
from statistics import median
from typing import Any

import numpy.typing as npt
from rich.console import Console
from rich.table import Table
from rich.text import Text

from lamina._lamina import Model, Profile, TimedStep
from lamina.cli.tables import table


def time_runs(model: Model, arrays: Mapping[str, npt.NDArray[Any]]) -> list[float]:
    """Seconds of repeated runs: about a second of them, at most 100."""
    times: list[float] = []
    until = time.perf_counter() + 1.0
    while not times or (time.perf_counter() < until and len(times) < 100):
        started = time.perf_counter()
        model.run(arrays)
        times.append(time.perf_counter() - started)
    return times


def print_times(console: Console, model: Model, loaded: float, times: list[float]) -> None:
    """The time to load, and how the runs spread."""
    made = table(f"{model.device}, {len(times)} runs", ("stage", "ms"), right=("ms",))
    for stage, seconds in (
        ("load", loaded),
        ("fastest run", min(times)),
        ("median run", median(times)),
        ("slowest run", max(times)),
    ):
        made.add_row(stage, f"{seconds * 1e3:.2f}")
    console.print(made)


def print_profile(console: Console, profile: Profile) -> None:
    """Each step in the order of the run, then each op, the longest first."""
    whole = sum(profile.by_op.values())
    console.print(_steps(profile, whole))
    if whole > 0:
        console.print(_by_op(profile, whole))
    if len(profile.parts) > 1 or None in [step.seconds for step in profile.steps]:
        parts = table("Parts as wholes", ("part", "device", "ms"), right=("part", "ms"))
        for part, (device, seconds) in enumerate(profile.parts):
            parts.add_row(str(part), device, f"{seconds * 1e3:.3f}")
        console.print(parts)
    if profile.peak is not None and profile.bandwidth is not None:
        console.print(
            f"The CPU can do {profile.peak / 1e9:.1f} Gflop/s in float32"
            f" and read {profile.bandwidth / 1e9:.1f} GB/s from memory."
        )
    for fallback in profile.fallbacks:
        console.print(f"On the CPU: {fallback}", markup=False)


def _steps(profile: Profile, whole: float) -> Table:
    """Columns that are empty throughout are left out; so is one device."""
    devices = {step.device for step in profile.steps}
    title = f"{len(profile)} steps on {' and '.join(sorted(devices))}, medians of {len(profile.totals)} runs"
    rows = [_row(step, whole) for step in profile.steps]
    shown = [name for name in rows[0] if any(row[name] for row in rows)] if rows else []
    if len(devices) == 1:
        shown.remove("device")
    made = table(title, shown, right=set(shown) - {"kernel", "device", "result"})
    for row in rows:
        made.add_row(*(Text(row[name]) for name in shown))
    return made


def _row(step: TimedStep, whole: float) -> dict[str, str]:
    seconds = step.seconds
    computes = step.flops > 0
    return {
        "kernel": step.kernel,
        "device": step.device,
        "result": f"{step.dtype}{step.shape}",
        "ms": _number(seconds, 1e3, 3),
        "%": _number(seconds, 100 / whole, 1) if whole > 0 else "",
        "Gflop\n/s": _number(step.gflops if computes else None, 1, 1),
        "% of\npeak": _number(step.fraction_of_peak if computes else None, 100, 0),
        "MB": _number(step.bytes, 1e-6, 2),
        "GB/s": _number(step.bytes / seconds if seconds else None, 1e-9, 1),
        "% of\nmemory": _number(step.fraction_of_bandwidth, 100, 0),
    }


def _number(value: float | None, factor: float, digits: int) -> str:
    return "" if value is None else f"{value * factor:.{digits}f}"


def _by_op(profile: Profile, whole: float) -> Table:
    made = table("By op", ("op", "steps", "ms", "%"), right=("steps", "ms", "%"))
    stems = [step.op.split("[")[0] for step in profile.steps]
    for op, seconds in profile.by_op.items():
        made.add_row(op, str(stems.count(op)), f"{seconds * 1e3:.3f}", f"{100 * seconds / whole:.1f}")
    return made
