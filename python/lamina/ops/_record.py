"""The way into the core, with its results typed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias, cast

from lamina._lamina import Cell, Tensor, record

TensorLike: TypeAlias = Tensor | Cell
Operand: TypeAlias = Tensor | Cell | float | int | bool
Dims: TypeAlias = int | Sequence[int] | None


def one(name: str, *inputs: Operand, **params: Any) -> Tensor:
    """Record an op of one output."""
    return cast(Tensor, record(name, inputs, params))


def many(name: str, inputs: Sequence[Operand], params: Mapping[str, Any]) -> tuple[Tensor, ...]:
    """Record an op of several outputs."""
    return cast("tuple[Tensor, ...]", record(name, inputs, params))
