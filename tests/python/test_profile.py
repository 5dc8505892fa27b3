"""Profiles: what is told of each step, the table, and the trace."""

import json
from itertools import pairwise

import numpy as np
import pytest

import lamina
from helpers import raises
from lamina import nn, ops


@pytest.fixture
def model(device, tmp_path):
    net = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3), nn.Softmax(1))
    lamina.onnx.save(net, ops.zeros((2, 6)), tmp_path / "net.onnx")
    return lamina.onnx.load(tmp_path / "net.onnx", device=device)


X = {"x": np.ones((2, 6), np.float32)}


def test_a_model(model, device):
    profile = model.profile(X, runs=4)
    plan = model.explain(X).steps
    for name in ("op", "kernel", "device", "shape", "dtype", "flops", "bytes", "params", "site"):
        assert [getattr(step, name) for step in profile.steps] == [getattr(step, name) for step in plan]
    assert len(profile) == len(plan)
    assert len(profile.totals) == 4
    assert min(profile.totals) <= profile.total <= max(profile.totals)
    assert [part for part, _ in profile.parts] == [device]
    assert all(seconds <= profile.total for _, seconds in profile.parts)
    if device == "cpu":
        assert profile.peak > 0
        assert profile.bandwidth > 0
    else:
        assert profile.peak is None
        assert profile.bandwidth is None


def test_figures_of_a_step():
    x = lamina.tensor(np.ones((64, 64), np.float32), device="cpu")
    profile = lamina.profile(ops.softmax(x @ x))
    assert [step.op for step in profile.steps] == ["matmul", "softmax"]
    for step in profile.steps:
        assert step.seconds > 0
        assert step.gflops == pytest.approx(step.flops / step.seconds / 1e9)
        assert step.fraction_of_peak == pytest.approx(step.flops / step.seconds / profile.peak)
        assert step.fraction_of_bandwidth == pytest.approx(step.bytes / step.seconds / profile.bandwidth)
        assert step.part == 0
    assert profile.steps[0].flops == 2 * 64**3


def test_sums():
    x = ops.ones((30, 30))
    profile = lamina.profile((ops.exp(x) * 2 @ x + ops.tanh(x @ x)).sum())
    stems = {step.op.split("[")[0] for step in profile.steps}
    assert set(profile.by_op) == stems
    seconds = [step.seconds for step in profile.steps]
    assert sum(profile.by_op.values()) == pytest.approx(sum(seconds))
    assert list(profile.by_op.values()) == sorted(profile.by_op.values(), reverse=True)
    # One run: its steps lie within its part, and that within the run.
    assert sum(seconds) <= profile.parts[0][1] <= profile.total == profile.totals[0]


def test_the_machine_is_measured_once_for_so_many_threads():
    first, again = (lamina.profile(ops.ones((3,)).sum()) for _ in range(2))
    assert (first.peak, first.bandwidth) == (again.peak, again.bandwidth)


def test_a_backward_pass(device):
    net = nn.Linear(4, 2)
    x = lamina.tensor(np.ones((3, 4), np.float32), device="cpu")
    loss = (net(x) ** 2).sum()
    loss.backward()
    profile = lamina.profile(loss, *(p.grad for p in net.parameters()))
    assert sum(step.op == "matmul" for step in profile.steps) == 2
    assert len(lamina.explain(loss).steps) == 0
    np.testing.assert_allclose(net.bias.grad.numpy(), 2 * net(x).numpy().sum(0), rtol=1e-6)


def test_nothing_to_compute():
    profile = lamina.profile(lamina.tensor([1.0]))
    assert (profile.steps, profile.total, profile.totals, profile.parts, profile.by_op) == ([], 0, [], [], {})
    assert str(profile) == "nothing was left to compute"


def test_the_table(model, device):
    text = str(model.profile(X, runs=3))
    lines = text.splitlines()
    titles = lines[0].split("  ")
    assert titles[0] == "kernel"
    end = lines.index("")
    steps = model.explain(X).steps
    assert [line.split("  ")[0] for line in lines[1:end]] == [step.kernel for step in steps]
    assert "ms a run (the median of 3)" in text
    assert ("the CPU (" in text) is (device == "cpu")
    for step in steps:
        assert step.op.split("[")[0] in text
        assert f"{step.dtype}{step.shape}" in text


def test_the_trace(model, device, tmp_path):
    path = tmp_path / "trace.json"
    profile = model.profile(X, runs=3)
    path.write_text("old")
    profile.save(path)
    assert [file.name for file in tmp_path.iterdir() if file.suffix != ".onnx"] == ["trace.json"]
    trace = json.loads(path.read_text())
    assert trace["displayTimeUnit"] == "ms"
    events = trace["traceEvents"]
    tracks = {e["tid"]: e["args"]["name"] for e in events if e["name"] == "thread_name"}
    assert tracks == {0: "runs", 1: f"{device}, part 0"}
    complete = [e for e in events if e["ph"] == "X"]
    assert len(complete) + len(tracks) + 1 == len(events)
    for event in complete:
        assert {"name", "cat", "pid", "tid", "ts", "dur", "args"} <= set(event)
        assert event["ts"] >= 0
        assert event["dur"] >= 0
    steps = [e for e in complete if e["cat"] == "step"]
    timed = [step for step in profile.steps if step.seconds is not None]
    assert len(steps) == 3 * len(timed)
    for event, step in zip(steps, 3 * timed, strict=True):
        assert event["name"] == step.kernel
        assert event["args"] == {
            name: getattr(step, name)
            for name in ("op", "kernel", "device", "shape", "dtype", "flops", "bytes", "params", "site")
        }
    runs = [e for e in complete if e["cat"] == "run"]
    assert [e["dur"] for e in runs] == pytest.approx([1e6 * s for s in profile.totals], abs=2e-3)
    parts = [e for e in complete if e["cat"] == "part"]
    assert [e["args"]["steps"] for e in parts] == [len(profile)] * 3
    if device == "cpu":
        assert runs[0]["ts"] == 0
        assert all(a["ts"] + a["dur"] <= b["ts"] + 1e-6 for a, b in pairwise(steps))
        assert steps[-1]["ts"] + steps[-1]["dur"] <= runs[-1]["ts"] + runs[-1]["dur"] + 1e-6


def test_a_file_that_cannot_be_written(tmp_path):
    profile = lamina.profile(ops.ones((3,)).sum())
    missing = tmp_path / "none" / "trace.json"
    raises(
        lamina.ArgumentError,
        f"profile: cannot write '{missing}': No such file or directory",
        lambda: profile.save(missing),
    )
    raises(
        lamina.ArgumentError,
        f"profile: cannot write '{tmp_path}': Is a directory",
        lambda: profile.save(tmp_path),
    )
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_taken(tmp_path):
    lamina.onnx.save(nn.Linear(3, 2), ops.zeros((1, 3)), tmp_path / "m.onnx", dynamic={"x": {0: "N"}})
    model = lamina.onnx.load(tmp_path / "m.onnx", device="cpu")
    x = {"x": np.ones((1, 3), np.float32)}
    for runs in (0, -3):
        raises(
            lamina.ArgumentError,
            f"profile: runs is {runs}, wanted 1 or more",
            lambda runs=runs: model.profile(x, runs=runs),
        )
    raises(
        lamina.ArgumentError,
        "profile: the file leaves the shape of input 'x' open; give inputs",
        model.profile,
    )
    raises(
        lamina.ArgumentError,
        "profile: an argument is a str, wanted a Tensor, Parameter or Buffer",
        lambda: lamina.profile("x"),
    )
