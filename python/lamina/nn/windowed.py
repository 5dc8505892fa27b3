"""What layers with windows share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from lamina.nn.module import Module


class Windowed(Module):
    """A layer without parameters; it says which op it is."""

    _op: ClassVar[Callable[..., Any]]

    def extra_repr(self) -> str:
        """Everything it was made with."""
        return ", ".join(f"{name}={value!r}" for name, value in vars(self).items() if name in self._shown)

    _shown: ClassVar[tuple[str, ...]] = ("kernel_size", "stride", "padding")
