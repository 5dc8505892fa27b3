"""The examples run as they stand."""

import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parent.parent.parent / "examples"


def run(name, *words):
    command = [sys.executable, EXAMPLES / name, *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_xor():
    assert run("xor.py").startswith("loss ")


def test_faces(data, tmp_path):
    faces = data / "faces"
    words = (faces / "version-RFB-320.onnx", faces / "photo-2.jpg", tmp_path / "out.png", "cpu")
    assert run("faces.py", *words) == f"4 faces, on cpu; written to {tmp_path / 'out.png'}\n"
    assert (tmp_path / "out.png").is_file()


def test_every_example_is_run():
    assert {path.name for path in EXAMPLES.glob("*.py")} == {"xor.py", "faces.py"}
