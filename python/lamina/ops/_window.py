"""What windows that slide over images are given by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

Pair: TypeAlias = int | tuple[int, int]
Padding: TypeAlias = (
    int | tuple[int, int] | Sequence[tuple[int, int]] | Literal["valid", "same", "same_lower"]
)


def pair(value: int | Sequence[int]) -> list[int]:
    """Both sides from one number."""
    return [value, value] if isinstance(value, int) else list(value)


def padding_of(padding: Padding) -> str | list[int]:
    """As the core wants it: a word, or top, left, bottom, right."""
    if isinstance(padding, str):
        return padding
    if isinstance(padding, int):
        return [padding] * 4
    vertical, horizontal = padding
    top, bottom = (vertical, vertical) if isinstance(vertical, int) else vertical
    left, right = (horizontal, horizontal) if isinstance(horizontal, int) else horizontal
    return [top, left, bottom, right]
