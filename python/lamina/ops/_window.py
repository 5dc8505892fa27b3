"""What windows that slide over images are given by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

Size: TypeAlias = int | Sequence[int]
Padding: TypeAlias = int | Sequence[int] | Sequence[tuple[int, int]] | Literal["valid", "same", "same_lower"]


def size_of(value: Size) -> int | list[int]:
    """One number for all axes, or one for each."""
    return value if isinstance(value, int) else list(value)


def each(value: Size, axes: int) -> list[int]:
    """One number for each axis."""
    return [value] * axes if isinstance(value, int) else list(value)


def padding_of(padding: Padding) -> str | int | list[int]:
    """As the core wants it: a word, a number, or those in front of each axis and those behind."""
    if isinstance(padding, (str, int)):
        return padding
    sides = [(side, side) if isinstance(side, int) else side for side in padding]
    return [before for before, _ in sides] + [after for _, after in sides]
