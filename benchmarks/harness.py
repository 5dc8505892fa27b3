"""Engines in processes of their own, timed in alternating rounds.

A benchmark is a file of engine functions: each takes the case's parameters,
prepares everything, and returns a function to be timed.  The driver starts
one process an engine (two spinning thread pools in one process spoil both),
lets them work in turn, and prints medians and their ratios.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Timed = Callable[[], object]
Engine = Callable[..., Timed]

# Idle pools of the engine before still spin for up to some 30 ms (OpenBLAS); on
# as many cores as threads that would be charged to the next one.
PAUSE = 0.06

THREAD_VARIABLES = (
    "LAMINA_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
)

# What holds the peers to AVX2 when we are: oneDNN reads the first (PyTorch, OpenVINO), PyTorch's own
# kernels the second.  NumPy is left as it is, and ONNX Runtime cannot be told.
AVX2_VARIABLES = {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"}


def instruction_sets() -> str:
    """The widest vector instructions that the machine says it has."""
    try:
        flags = Path("/proc/cpuinfo").read_text().split("flags", 1)[1].split("\n", 1)[0].split()
    except (OSError, IndexError):
        return platform.machine()
    return "AVX-512" if "avx512f" in flags else "AVX2" if "avx2" in flags else "SSE"


def threads() -> int:
    """As many as the worker was told; 0, which engines take for their default, elsewhere."""
    return int(os.environ.get("OMP_NUM_THREADS", "0"))


def _peak() -> int:
    """The most bytes of this process that were resident at once."""
    try:
        # Not getrusage: on Linux a new program starts with the peak of the process that started it.
        status = Path("/proc/self/status").read_text()
        return int(status.split("VmHWM:", 1)[1].split()[0]) * 1024
    except (OSError, IndexError):
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _serve(path: str, engine: str, case: Mapping[str, Any]) -> None:
    """The worker: answers each line `rounds` with the seconds of each call, the end with its peak memory."""
    spec = importlib.util.spec_from_file_location("benchmark", path)
    if spec is None or spec.loader is None:
        raise SystemExit(f"{path} cannot be loaded")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses and torch.compile look their module up
    spec.loader.exec_module(module)
    try:
        timed: Timed = module.ENGINES[engine](**case)
        timed()
    except ImportError as error:
        print(json.dumps({"missing": str(error)}), flush=True)
        return
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        seconds = []
        timed()
        for _ in range(int(line)):
            start = time.perf_counter()
            timed()
            seconds.append(time.perf_counter() - start)
        print(json.dumps(seconds), flush=True)
    print(json.dumps({"peak": _peak()}), flush=True)


class _Worker:
    def __init__(self, path: str, engine: str, case: Mapping[str, Any], threads: int) -> None:
        environment = dict(os.environ)
        environment.update(dict.fromkeys(THREAD_VARIABLES, str(threads)))
        if environment.get("LAMINA_CPU_ISA") == "avx2":
            environment.update(AVX2_VARIABLES)
        self.engine = engine
        self.seconds: list[float] = []
        self.peak = 0
        start = time.perf_counter()
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__)), path, engine, json.dumps(case)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        self.reply = self._read()
        self.first = time.perf_counter() - start

    def _read(self) -> Any:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        return json.loads(line) if line else {"missing": "it ended at once"}

    def run(self, calls: int) -> float:
        assert self.process.stdin is not None
        print(calls, file=self.process.stdin, flush=True)
        seconds: list[float] = self._read()
        self.seconds += seconds
        return sum(seconds)

    def stop(self) -> None:
        if self.process.stdin is not None:
            self.process.stdin.close()
        if "ready" in self.reply:
            self.peak = self._read().get("peak", 0)
        self.process.wait()


def compare(
    path: str,
    engines: Sequence[str],
    case: Mapping[str, Any],
    *,
    threads: int,
    rounds: int = 9,
    seconds: float = 0.15,
) -> dict[str, float]:
    """Median seconds of each engine that is installed."""
    workers = [_Worker(path, engine, case, threads) for engine in engines]
    ready = [w for w in workers if "ready" in w.reply]
    # As many calls a round as fill the given seconds, at least one.
    calls = {w.engine: max(1, round(seconds / max(w.run(1), 1e-7))) for w in ready}
    for worker in ready:
        worker.seconds.clear()
    for _ in range(rounds):
        for worker in ready:
            time.sleep(PAUSE)
            worker.run(calls[worker.engine])
    for worker in workers:
        worker.stop()
    return {w.engine: statistics.median(w.seconds) for w in ready}


@dataclass(frozen=True)
class Fresh:
    """What a process costs."""

    seconds: float  # from its start to its first result
    peak: float  # bytes resident at once


def fresh(
    path: str, engines: Sequence[str], case: Mapping[str, Any], *, threads: int, rounds: int = 3
) -> dict[str, Fresh]:
    """Medians over processes that load, give a first result and two more."""
    found: dict[str, list[Fresh]] = {}
    for _ in range(rounds):
        for engine in engines:
            worker = _Worker(path, engine, case, threads)
            if "ready" in worker.reply:
                worker.run(1)
            worker.stop()
            if worker.peak:
                found.setdefault(engine, []).append(Fresh(worker.first, worker.peak))
    return {
        engine: Fresh(statistics.median(f.seconds for f in each), statistics.median(f.peak for f in each))
        for engine, each in found.items()
    }


def table(
    title: str,
    rows: Sequence[tuple[str, Mapping[str, float]]],
    ours: str = "lamina",
    unit: str = "ms",
    scale: float = 1e3,
    inverse: bool = False,
) -> None:
    """Prints milliseconds and, for each peer, its time over ours; inverse: ours over its."""
    print(f"\n{title}  [{instruction_sets()}, LAMINA_CPU_ISA={os.environ.get('LAMINA_CPU_ISA', 'auto')}]")
    for name, medians in rows:
        if ours not in medians:
            print(f"  {name:<34} not measured: {ours} did not start")
            continue
        mine = medians[ours]
        peers = "  ".join(
            f"{engine} {value * scale:8.3f} {unit} = {mine / value if inverse else value / mine:5.2f}x"
            for engine, value in medians.items()
            if engine != ours
        )
        print(f"  {name:<34} {ours} {mine * scale:8.3f} {unit}  {peers}")


def parser(description: str) -> argparse.ArgumentParser:
    """What every benchmark takes, to be added to."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=9)
    return parser


def arguments(description: str) -> argparse.Namespace:
    """What every benchmark takes."""
    return parser(description).parse_args()


if __name__ == "__main__":
    _serve(sys.argv[1], sys.argv[2], json.loads(sys.argv[3]))
