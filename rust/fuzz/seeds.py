"""Seeds for the fuzzers.

`python rust/fuzz/seeds.py FOLDER` writes FOLDER/onnx, the onnx package's own node cases, and FOLDER/program,
GPU programs of small functions: corpora for `cargo fuzz`.  With `--few` it writes the smallest case of each
operator, and the programs, into one file of each kind instead: what `rust/onnx/tests/fuzz.rs` mutates.
Random graphs need no seeds: any bytes are one.
"""

from __future__ import annotations

import sys
import tempfile
import warnings
from pathlib import Path

from onnx.backend.test.case.node import collect_testcases

from lamina import ops
from lamina.interop import wgpu

LARGEST = 2_000


def node_cases(few: bool) -> dict[str, bytes]:
    """Models by name: all, or the smallest of each operator."""
    with warnings.catch_warnings():
        # Some cases compute their expected values with overflows on purpose.
        warnings.simplefilter("ignore", RuntimeWarning)
        models = {case.name: case.model for case in collect_testcases(None)}
    files = {name: model.SerializeToString() for name, model in models.items()}
    if not few:
        return files
    smallest: dict[str, str] = {}
    for name in sorted(files, key=lambda name: (len(files[name]), name)):
        for node in models[name].graph.node if len(files[name]) <= LARGEST else ():
            smallest.setdefault(node.op_type, name)
    return {name: files[name] for name in sorted(set(smallest.values()))}


def programs() -> dict[str, bytes]:
    """Saved programs by name."""
    x = ops.zeros((2, 8), device="gpu")
    w = ops.zeros((8, 4), device="gpu") + 0.5
    functions = {
        "relu": ops.relu,
        "linear": lambda x: ops.softmax(x @ w, dim=1),
        "sum": lambda x: ops.sum(x * 2.0),
    }
    files = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, function in functions.items():
            path = Path(folder) / name
            wgpu.program(function, x).save(str(path))
            files[name] = path.read_bytes()
    return files


def main(folder: Path, few: bool) -> None:
    """Writes them."""
    for kind, files in {"onnx": node_cases(few), "program": programs()}.items():
        (folder if few else folder / kind).mkdir(parents=True, exist_ok=True)
        if few:
            lengths = b"".join(len(data).to_bytes(4, "little") + data for data in files.values())
            (folder / f"{kind}.seeds").write_bytes(lengths)
            continue
        for name, data in files.items():
            (folder / kind / name).write_bytes(data)


if __name__ == "__main__":
    main(Path(next(a for a in sys.argv[1:] if not a.startswith("-"))), "--few" in sys.argv)
