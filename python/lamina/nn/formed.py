"""Layers that are an op with the arguments they were made with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from lamina._lamina import Cell, Tensor
from lamina.nn.module import Module


class Formed(Module):
    """Sets nothing but the op's keyword arguments, under their names; a subclass says which op it is."""

    _op: ClassVar[Callable[..., Tensor]]

    def _arguments(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "training"}

    def forward(self, *inputs: Tensor) -> Tensor:
        """What the op takes, and what it gives."""
        return type(self)._op(*inputs, **self._arguments())

    def extra_repr(self) -> str:
        """What it was made with."""
        given = self._arguments().items()
        return ", ".join(f"{name}={value!r}" for name, value in given if not isinstance(value, Cell))
