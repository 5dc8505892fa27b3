"""Tables of devices and ops."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from lamina import _lamina


def table(title: str, columns: Iterable[str], right: Iterable[str] = ()) -> Table:
    """A table in the house style."""
    made = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        made.add_column(column, justify="right" if column in set(right) else "left", overflow="fold")
    return made


def print_devices(as_json: bool) -> None:
    """The devices of this machine."""
    found = _lamina.devices()
    console = Console()
    if as_json:
        console.print_json(json.dumps(found))
        return
    made = table("Devices", ("device", "name", "kind", "backend", "what it has"))
    for device in found:
        made.add_row(
            str(device["device"]),
            str(device.get("name", "")),
            _kind(device),
            str(device.get("backend", "")),
            _abilities(device),
        )
    console.print(made)
    if len(found) == 1:
        console.print("No GPU adapter found: a Vulkan, Metal or DX12 driver brings one.")


def _kind(device: Mapping[str, Any]) -> str:
    kind = str(device.get("kind", ""))
    return f"{kind} (for tests; never chosen by auto)" if device.get("software") else kind


def _abilities(device: Mapping[str, Any]) -> str:
    parts = [str(f) for f in device.get("features", [])]
    limits: Mapping[str, Any] = device.get("limits", {})
    parts += [f"{name}={value}" for name, value in limits.items()]
    for extra in ("isa", "threads"):
        if extra in device:
            parts.append(f"{extra}={device[extra]}")
    return ", ".join(parts)


def print_ops(as_json: bool) -> None:
    """The op table, as the core has it."""
    rows = _lamina.op_table()
    console = Console()
    if as_json:
        console.print_json(json.dumps(rows))
        return
    columns = list(rows[0]) if rows else ["op"]
    made = table(f"{len(rows)} ops", columns)
    for row in rows:
        made.add_row(*(_cell(row.get(column)) for column in columns))
    console.print(made)


def _cell(value: object) -> str:
    if value is True:
        return "yes"
    if value is False or value is None:
        return "-"
    if isinstance(value, list | tuple):
        return " ".join(str(v) for v in value)
    return str(value)
