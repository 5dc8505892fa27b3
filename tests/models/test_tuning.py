"""Choices by the clock: measured once, kept for the machine, never an error."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import lamina
from lamina import nn
from oracle import product

# A size at which the costs of Winograd's two forms are close on every instruction set.
IN_C, OUT_C, SIZE = 64, 128, 13

# A process of its own: settings and findings are read once.
RUN = """
import sys
import numpy as np
import lamina
folder = sys.argv[1]
model = lamina.onnx.load(folder + "/net.onnx", device="cpu")
x = np.load(folder + "/x.npy")
step = next(s for s in model.explain().steps if s.op == "conv2d")
np.save(folder + "/y.npy", model.run({model.inputs[0].name: x})[model.outputs[0].name])
print(step.params)
"""


@pytest.fixture
def net(tmp_path: Path) -> Path:
    """A folder with a model, its input and what float64 says of it (expected.npy)."""
    lamina.manual_seed(0)
    conv = nn.Conv2d(IN_C, OUT_C, 3, padding=1, bias=False)
    x = np.random.default_rng(1).standard_normal((1, IN_C, SIZE, SIZE)).astype("f")
    lamina.onnx.save(conv.eval(), [lamina.tensor(x)], str(tmp_path / "net.onnx"))
    np.save(tmp_path / "x.npy", x)
    np.save(
        tmp_path / "expected.npy", product.conv(x.astype("d"), conv.weight.numpy().astype("d"), padding=1)
    )
    return tmp_path


def start(net: Path, cache: Path, tune: str | None = "1000") -> subprocess.Popen[str]:
    env = {name: value for name, value in os.environ.items() if name != "LAMINA_TUNE"}
    env |= {"XDG_CACHE_HOME": str(cache), "LOCALAPPDATA": str(cache)}
    if tune is not None:
        env["LAMINA_TUNE"] = tune
    command = [sys.executable, "-c", RUN, str(net)]
    return subprocess.Popen(command, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def finish(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (0, "")
    return out


def run(net: Path, cache: Path, tune: str | None = "1000") -> str:
    """How the convolution was computed, its values compared."""
    params = finish(start(net, cache, tune))
    expected = np.load(net / "expected.npy")
    assert np.abs(np.load(net / "y.npy") - expected).max() <= 1e-5 * np.abs(expected).max()
    return params


def kept(cache: Path) -> Path:
    """The one file in the cache."""
    files = [path for path in cache.rglob("*") if path.is_file()]
    assert [path.parent for path in files] == [cache / "lamina"]
    return files[0]


def is_whole(path: Path) -> bool:
    heading, *findings = path.read_text().splitlines()
    return (
        heading.startswith("lamina ") and len(findings) == 1 and findings[0].startswith("conv2d 1x64x13x13 ")
    )


def test_what_was_measured_is_kept_and_believed(net: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    assert "chosen='measured'" in run(net, cache)
    path = kept(cache)
    assert is_whole(path)
    text = path.read_text()
    for name in ("f(2, 3)", "f(4, 3)"):
        path.write_text(text.replace("f(2, 3)", name).replace("f(4, 3)", name))
        params = run(net, cache)
        assert f"algorithm='winograd {name}'" in params
        assert "chosen='measured'" in params


def test_an_answer_that_is_none_is_measured_anew(net: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    run(net, cache)
    path = kept(cache)
    path.write_text(path.read_text().replace("winograd", "depthwise"))
    assert "algorithm='winograd" in run(net, cache)
    assert is_whole(path)
    assert "depthwise" not in path.read_text()


@pytest.mark.parametrize("content", [b"", b"\xff\x00\xfe", b"lamina 0; another; machine\n", b"[" * 3_000_000])
def test_a_file_that_is_not_ours_is_replaced(net: Path, tmp_path: Path, content: bytes) -> None:
    cache = tmp_path / "cache"
    run(net, cache)
    path = kept(cache)
    path.write_bytes(content)
    assert "chosen='measured'" in run(net, cache)
    assert is_whole(kept(cache))


def test_nowhere_to_write_is_no_error(net: Path, tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.write_text("a file where a folder should be")
    assert "chosen='measured'" in run(net, taken)
    cache = tmp_path / "cache"
    run(net, cache)
    path = kept(cache)
    path.unlink()
    path.mkdir()
    assert "chosen='measured'" in run(net, cache)


def test_processes_at_once_leave_one_whole_file(net: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    for process in [start(net, cache) for _ in range(4)]:
        assert "chosen='measured'" in finish(process)
    assert is_whole(kept(cache))


def test_off_neither_measures_nor_reads_nor_writes(net: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    assert "chosen='by sizes'" in run(net, cache, "off")
    assert not cache.exists()


def test_a_mistyped_setting_is_an_error_at_import(net: Path, tmp_path: Path) -> None:
    process = start(net, tmp_path / "cache", "never")
    _, err = process.communicate(timeout=120)
    assert process.returncode != 0
    assert err.rstrip().endswith(
        "LAMINA_TUNE: got 'never', wanted 'off' or the milliseconds that a model may be measured for"
    )
