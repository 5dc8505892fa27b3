"""Calling a module or function on placeholders, to see what it records."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from lamina._lamina import Cell, Tensor, placeholder
from lamina._modes import no_grad
from lamina.nn.module import Module

Examples: TypeAlias = Tensor | Sequence[Tensor] | Mapping[str, Tensor]
Target: TypeAlias = Module | Callable[..., Any]


@dataclass(frozen=True)
class Trace:
    """What was recorded.

    Attributes:
        inputs: The leaves by name: what is recorded from them is the function.
        outputs: What came out, by name.
        cells: A module's parameters and buffers by name.
    """

    inputs: dict[str, Tensor]
    outputs: dict[str, Tensor]
    cells: dict[str, Cell]


def named(stem: str, values: Any) -> dict[str, Tensor]:
    """`x` for one tensor, `x0`, `x1`, ... for several, or the names given."""
    if isinstance(values, Mapping):
        return dict(values)
    if isinstance(values, Tensor):
        return {stem: values}
    return (
        {f"{stem}{at}": value for at, value in enumerate(values)} if len(values) != 1 else {stem: values[0]}
    )


def trace(target: Target, inputs: Mapping[str, Tensor]) -> Trace:
    """Call target in evaluation mode on placeholders for the inputs, in their order.

    A placeholder has no value, so nothing that is recorded on it is computed away, and
    a function that looks at a value raises.
    """
    leaves = {name: placeholder(value) for name, value in inputs.items()}
    with no_grad():
        outputs = named("y", _call(target, list(leaves.values())))
    return Trace(leaves, outputs, _cells(target))


def _call(target: Target, leaves: list[Tensor]) -> Any:
    if not isinstance(target, Module):
        return target(*leaves)
    modes = [(module, module.training) for module in target.modules()]
    target.eval()
    try:
        return target(*leaves)
    finally:
        for module, mode in modes:
            module.training = mode


def _cells(target: Target) -> dict[str, Cell]:
    if not isinstance(target, Module):
        return {}
    return {**dict(target.named_parameters()), **dict(target.named_buffers())}
