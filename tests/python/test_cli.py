"""The command line's little languages, its tables and its errors."""

import json
import subprocess
import sys

import numpy as np
import pytest

import lamina
from helpers import raises
from lamina import nn, ops
from lamina.cli import binding
from lamina.decoders import NMS


def cli(*words, ok=True):
    done = subprocess.run(
        [sys.executable, "-m", "lamina.cli", *map(str, words)], capture_output=True, text=True, check=False
    )
    assert (done.returncode == 0) is ok, done.stderr
    # Mesa writes to stderr too.
    said = [line for line in done.stderr.splitlines() if "XDG_RUNTIME_DIR" not in line]
    return done.stdout if ok else "\n".join(said)


def test_devices():
    assert "cpu" in cli("devices")
    found = json.loads(cli("devices", "--json"))
    assert [d["device"] for d in found] == [d["device"] for d in lamina.devices()]


def test_ops():
    rows = json.loads(cli("ops", "--json"))
    assert "conv2d" in cli("ops")
    assert len(rows) == len(lamina.op_table())


def test_version():
    assert cli("--version").strip() == f"lamina {lamina.__version__}"


def test_decoder_from_words():
    made = binding.decoder("nms:iou_threshold=0.3,score_threshold=none,max_output=7")
    assert isinstance(made, NMS)
    assert (made.iou_threshold, made.score_threshold, made.max_output) == (0.3, None, 7)


@pytest.mark.parametrize(
    ("text", "index"),
    [
        ("boxes=out", ()),
        ("boxes=out[0]", (0,)),
        ("boxes=out[:,:,1]", (slice(None), slice(None), 1)),
        ("boxes=out[..., 1:5:2]", (..., slice(1, 5, 2))),
    ],
)
def test_binding(text, index):
    assert binding.bindings([text]) == {"boxes": ("out", index)}


def test_pick():
    outputs = {"a": np.arange(6).reshape(1, 3, 2), "scores": np.ones(3)}
    picked = binding.pick(outputs, ("boxes", "scores"), ["boxes=a[:,:,1]"])
    np.testing.assert_array_equal(picked["boxes"], [[1, 3, 5]])
    np.testing.assert_array_equal(picked["scores"], np.ones(3))


def test_words_that_cannot_be_read():
    outputs = {"out": np.zeros((1, 2))}
    for message, call in (
        (
            "--bind boxes: wanted INPUT=OUTPUT or INPUT=OUTPUT[:,:,1]",
            lambda: binding.bindings(["boxes"]),
        ),
        ("--bind b=o[x]: 'x' is no index or slice", lambda: binding.bindings(["b=o[x]"])),
        ("--bind b=p: 'b' is bound twice", lambda: binding.bindings(["b=o", "b=p"])),
        ("--resize 240: wanted HEIGHTxWIDTH, such as 240x320", lambda: binding.size("240")),
        ("--mean a: wanted numbers between commas", lambda: binding.numbers("a", "mean")),
        ("--decoder nms:x: 'x' is no keyword=value", lambda: binding.decoder("nms:x")),
        (
            "--bind z=...: the decoder's inputs are: boxes, scores",
            lambda: binding.pick(outputs, ("boxes", "scores"), ["z=out"]),
        ),
        (
            "the decoder's input 'boxes' wants the output 'boxes'; the model has: out; "
            "bind one with --bind boxes=OUTPUT",
            lambda: binding.pick(outputs, ("boxes",), []),
        ),
    ):
        raises(lamina.ArgumentError, message, call)


def test_an_error_is_one_line(tmp_path):
    missing = tmp_path / "none.onnx"
    error = cli("run", missing, tmp_path / "x.npy", ok=False)
    assert error.startswith("lamina: ")
    assert "\n" not in error


def test_no_such_device(tmp_path):
    error = cli("demo", "--device", "gpu:99", "--out", tmp_path, ok=False)
    assert error.startswith("lamina: device 'gpu:99': no such GPU adapter")


def test_an_unwritable_folder(tmp_path):
    (tmp_path / "file").write_text("")
    error = cli("demo", "--out", tmp_path / "file" / "below", ok=False)
    assert error == f"lamina: cannot write to '{tmp_path / 'file' / 'below'}': Not a directory"


@pytest.fixture
def model(tmp_path):
    lamina.onnx.save(nn.Linear(3, 2), ops.zeros((1, 3)), tmp_path / "linear.onnx")
    np.save(tmp_path / "x.npy", np.ones((1, 3), np.float32))
    return tmp_path / "linear.onnx"


def test_profile(model, tmp_path):
    trace = tmp_path / "trace.json"
    words = ("run", model, tmp_path / "x.npy", "--device", "cpu")
    said = cli(*words, "--profile", "--trace", trace)
    for word in ("median run", "1 steps", "matmul", "float32[1,", "By op", "Gflop/s in float32"):
        assert word in said
    steps = [e for e in json.loads(trace.read_text())["traceEvents"] if e.get("cat") == "step"]
    assert {e["args"]["op"] for e in steps} == {"matmul"}
    trace.unlink()
    assert "matmul" not in cli(*words, "--trace", trace)
    assert trace.exists()


def test_a_trace_that_cannot_be_written(model, tmp_path):
    trace = tmp_path / "none" / "trace.json"
    error = cli("run", model, tmp_path / "x.npy", "--device", "cpu", "--trace", trace, ok=False)
    assert error == f"lamina: profile: cannot write '{trace}': No such file or directory"
