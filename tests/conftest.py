"""Devices, data and how a missing one is told."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

# Read as lamina is imported: values and plans must not depend on what a clock says.
os.environ["LAMINA_TUNE"] = "off"

import lamina

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

# In CI nothing may be missing; elsewhere what is missing is skipped, saying so.
STRICT = os.environ.get("CI") == "true"
DATA = Path(os.environ.get("LAMINA_TEST_DATA", HERE.parent.parent / "shared" / "data"))


def _missing(why: str) -> None:
    if STRICT:
        pytest.fail(why)
    pytest.skip(why)


@pytest.fixture(scope="session")
def adapter() -> dict[str, Any]:
    """What lamina says of the first GPU adapter."""
    gpus = [d for d in lamina.devices() if d["device"] != "cpu"]
    if not gpus:
        _missing("no GPU adapter: install libvulkan1 and mesa-vulkan-drivers for a software one")
    return gpus[0]


@pytest.fixture(params=["cpu", "gpu"])
def device(request: pytest.FixtureRequest) -> str:
    """Each test runs on the CPU and on a GPU; a software adapter serves."""
    if request.param == "cpu":
        return "cpu"
    return str(request.getfixturevalue("adapter")["device"])


@pytest.fixture(scope="session")
def data() -> Path:
    """Real models, photos and digits."""
    if not DATA.is_dir():
        _missing(f"no data folder at {DATA}")
    return DATA


@pytest.fixture(autouse=True)
def seed() -> None:
    """Every test starts from the same random numbers."""
    lamina.manual_seed(0)
