"""What importing lamina costs, and what it leaves alone."""

import subprocess
import sys


def run(code):
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout


def test_import_is_quick():
    code = "import time; t = time.perf_counter(); import lamina; print(time.perf_counter() - t)"
    assert min(float(run(code)) for _ in range(3)) < 0.2


def test_import_brings_no_rooms_and_no_plugins():
    code = (
        "import sys, lamina\n"
        "rooms = 'lamina.nn lamina.optim lamina.ops lamina.registry lamina.cli rich typer pluggy'.split()\n"
        "print([room for room in rooms if room in sys.modules])"
    )
    assert run(code).strip() == "[]"


def test_rooms_open_when_named():
    assert run("import lamina; print(lamina.nn.ReLU().__class__.__name__)").strip() == "ReLU"


def test_version():
    from importlib.metadata import version

    import lamina

    assert lamina.__version__ == version("lamina")
