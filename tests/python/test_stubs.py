"""The extension's stub says what the extension has."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def test_stub():
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "mypy.stubtest",
            "lamina._lamina",
            "--mypy-config-file",
            ROOT / "pyproject.toml",
        ],
        cwd=ROOT / "tests",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
