"""The demo on each device, and its failure when a figure is missed."""

import json

from lamina.demo import stages


def test_demo(device, tmp_path):
    report = stages.run(tmp_path, device)
    assert report.passed
    assert report.accuracy >= 0.98
    assert report.found >= 0.95
    assert json.loads((tmp_path / "report.json").read_text())["device"] == device


def test_too_little_training_is_a_miss(tmp_path, monkeypatch):
    from lamina.cli import demo

    monkeypatch.setattr(demo, "EPOCHS", 1)
    monkeypatch.setattr(demo, "run", lambda out, device, advance: stages.run(out, device, advance, epochs=1))
    assert demo.run_demo("cpu", tmp_path) is False
    assert json.loads((tmp_path / "report.json").read_text())["passed"] is False
