"""Variables of the environment: a mistyped one is a typed error that says name, got and wanted."""

import os
import subprocess
import sys

import pytest

NUMBERS = "wanted a number from 1 to"
BYTES = "wanted a whole number of bytes above 0"


def ends(code, **env):
    """The last line of a process of its own, and whether it ended well."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    said = (done.stdout if done.returncode == 0 else done.stderr).strip()
    return said.splitlines()[-1], done.returncode == 0


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        *(
            ("LAMINA_MEMORY_LIMIT", value, BYTES)
            for value in (
                "",
                "lots",
                "4GB",
                "1.5G",
                "-1",
                "0",
                "0K",
                "G",
                "4 4",
                "18446744073709551615K",
                "4é",
            )
        ),
        *(("LAMINA_NUM_THREADS", value, NUMBERS) for value in ("", "0", "-1", "two", "1e3", "100000000")),
        *(
            ("LAMINA_CPU_ISA", value, "wanted one of portable, avx2, avx512, neon")
            for value in ("", "AVX2", "sse9")
        ),
        *(("LAMINA_TUNE", value, "wanted 'off' or the milliseconds") for value in ("", "on", "-1", "10ms")),
        *(("LAMINA_EAGER", value, "wanted 1 or 0") for value in ("yes", "true", "2")),
    ],
)
def test_a_mistyped_variable_is_an_error_at_import(name, value, wanted):
    said, well = ends("import lamina", **{name: value})
    assert not well
    assert said.startswith(f"lamina.ArgumentError: {name}: got '{value}', {wanted}")


def test_a_device_that_is_none_is_an_error_at_first_use():
    said, well = ends("import lamina; lamina.tensor([1.0])", LAMINA_DEVICE="gpuu")
    assert not well
    assert said == (
        "lamina.DeviceError: LAMINA_DEVICE: device 'gpuu' is unknown: wanted 'cpu', 'gpu', 'gpu:N' or 'auto'"
    )


@pytest.mark.parametrize(
    ("value", "size"), [("3000000", 3_000_000), (" 5m ", 5 << 20), ("2000K", 2000 << 10), ("1G", 1 << 30)]
)
def test_a_memory_limit_holds_to_the_byte(value, size):
    """Within a block's own rounding, from both sides."""
    code = f"""
import lamina
from lamina import ops
def fits(count):
    try:
        lamina.eval(ops.zeros((count // 4,), device="cpu") + 1.0)
    except lamina.OutOfMemoryError as error:
        assert "LAMINA_MEMORY_LIMIT" in str(error)
        return False
    return True
print(fits({size * 3 // 4} if {size} < 1 << 28 else 4096), fits({size} + 4096))
"""
    assert ends(code, LAMINA_MEMORY_LIMIT=value) == ("True False", True)
