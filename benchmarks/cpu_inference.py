"""Networks of the usual shapes on the CPU against ONNX Runtime and OpenVINO, outputs compared."""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import harness

# The networks are made with lamina, which must not be loaded into the peers' processes: only
# `main` imports them.

Case = Mapping[str, Any]
Rows = Sequence[tuple[str, Mapping[str, float]]]


def _input(shape: Sequence[int]):
    import numpy as np

    return np.random.default_rng(0).standard_normal(shape, dtype=np.float32)


def lamina_engine(path: str, shape: Sequence[int]) -> harness.Timed:
    import lamina

    model = lamina.onnx.load(path, device="cpu")
    feed = {"x": _input(shape)}
    return lambda: model.run(feed)["y"]


def ort_engine(path: str, shape: Sequence[int]) -> harness.Timed:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = harness.threads()
    options.log_severity_level = 3
    session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    feed = {"x": _input(shape)}
    return lambda: session.run(None, feed)[0]


def openvino_engine(path: str, shape: Sequence[int]) -> harness.Timed:
    import openvino

    config = {
        "INFERENCE_NUM_THREADS": harness.threads(),
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",
    }
    request = openvino.Core().compile_model(path, "CPU", config).create_infer_request()
    feed = {"x": _input(shape)}
    # Neither input nor output is copied: its fastest way.
    return lambda: request.infer(feed, share_inputs=True, share_outputs=True)["y"]


ENGINES: dict[str, Callable[..., harness.Timed]] = {
    "lamina": lamina_engine,
    "onnxruntime": ort_engine,
    "openvino": openvino_engine,
}
PEERS = [engine for engine in ENGINES if engine != "lamina"]


def difference(case: Case) -> str:
    """Each engine's largest difference from ONNX Runtime over the largest output."""
    import numpy as np

    outputs = {}
    for engine, prepare in ENGINES.items():
        try:
            outputs[engine] = np.array(prepare(**case)())
        except ImportError:
            continue
    reference = outputs.pop("onnxruntime", None)
    if reference is None:
        return "not compared: ONNX Runtime is not installed"
    largest = np.abs(reference).max()
    differ = [f"{engine} {np.abs(y - reference).max() / largest:.1e}" for engine, y in outputs.items()]
    return f"from ONNX Runtime, relative to the largest output: {', '.join(differ)}"


def means(rows: Rows, inverse: bool = False) -> None:
    """Prints the geometric means over the networks of the ratios in the table."""
    parts = []
    for peer in PEERS:
        both = [medians for _, medians in rows if {peer, "lamina"} <= medians.keys()]
        over, under = ("lamina", peer) if inverse else (peer, "lamina")
        if both:
            mean = statistics.geometric_mean(medians[over] / medians[under] for medians in both)
            parts.append(f"{over}/{under} {mean:.2f}x")
    if parts:
        print(f"  geometric mean: {'  '.join(parts)}", flush=True)


def costs(cases: Mapping[str, Case], threads: int, options: argparse.Namespace) -> None:
    """What a process of its own takes for each network."""
    found = {
        name: harness.fresh(__file__, list(ENGINES), case, threads=threads) for name, case in cases.items()
    }
    if options.start:
        rows = [(name, {e: f.seconds for e, f in fresh.items()}) for name, fresh in found.items()]
        harness.table(f"process start to first result, {threads} thread(s)", rows)
        means(rows)
    if options.memory:
        rows = [(name, {e: f.peak for e, f in fresh.items()}) for name, fresh in found.items()]
        title = f"peak resident memory, ours over theirs, {threads} thread(s)"
        harness.table(title, rows, unit="MiB", scale=2.0**-20, inverse=True)
        means(rows, inverse=True)


def arguments(names: Sequence[str]) -> argparse.Namespace:
    parser = harness.parser(__doc__ or "")
    parser.add_argument("--nets", nargs="+", choices=names, default=list(names), metavar="NET")
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--memory", action="store_true", help="peak memory of a process")
    parser.add_argument("--start", action="store_true", help="process start to first result")
    return parser.parse_args()


def main() -> None:
    import nets

    options = arguments(list(nets.NETS))
    if os.environ.get("LAMINA_CPU_ISA") == "avx2":
        print("OpenVINO is held to AVX2; ONNX Runtime cannot be and uses what the machine has")
    with tempfile.TemporaryDirectory(prefix="lamina-nets-") as folder:
        cases: dict[int, dict[str, Case]] = {batch: {} for batch in options.batch}
        for name in options.nets:
            for batch in options.batch:
                path = nets.export(name, batch, Path(folder))
                case = {"path": str(path), "shape": [batch, *nets.NETS[name][1]]}
                cases[batch][name] = case
                print(f"{name}, batch {batch}: outputs differ {difference(case)}", flush=True)
        for threads in options.threads:
            for batch, each in cases.items():
                rows = [
                    (
                        name,
                        harness.compare(
                            __file__, list(ENGINES), case, threads=threads, rounds=options.rounds
                        ),
                    )
                    for name, case in each.items()
                ]
                harness.table(f"networks, batch {batch}, {threads} thread(s)", rows)
                means(rows)
                if options.memory or options.start:
                    costs(each, threads, options)


if __name__ == "__main__":
    main()
