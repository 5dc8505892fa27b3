"""The wheel: small, and all that a clean environment without Rust needs."""

import json
import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
LIMIT = 15 * 2**20


@pytest.fixture(scope="session")
def wheel(tmp_path_factory):
    """Built from this clone; cargo has everything compiled already."""
    out = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "maturin", "build", "--release", "--locked", "--out", out],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (built,) = out.glob("*.whl")
    return built


def test_size_and_tag(wheel):
    print(f"{wheel.name}: {wheel.stat().st_size / 2**20:.2f} MiB")  # noqa: T201
    assert wheel.stat().st_size <= LIMIT
    assert "-cp310-abi3-" in wheel.name


def test_it_runs_the_demo_without_rust(wheel, tmp_path):
    home = tmp_path / "venv"
    venv.create(home, with_pip=True)
    # Nothing of this environment or of Rust can be found from there.
    clean = {"PATH": f"{home / 'bin'}:/usr/bin:/bin", "HOME": str(tmp_path)}
    clean |= {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    pip = [home / "bin" / "python", "-m", "pip", "install", "--quiet", f"{wheel}[demo]"]
    subprocess.run(pip, env=clean, check=True, cwd=tmp_path)
    done = subprocess.run(
        [home / "bin" / "lamina", "demo", "--out", "out"],
        env=clean,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["passed"]
    assert report["accuracy"] >= 0.98
    assert report["found"] >= 0.95
    assert (tmp_path / "out" / "page.png").stat().st_size > 10000
