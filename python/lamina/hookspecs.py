"""All that a plugin can add: one hook per kind, each given a `register(name, target)`.

A target is "module:attribute", imported when the name is first looked up, or the
object itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import pluggy

Register: TypeAlias = Callable[[str, object], None]

hookspec = pluggy.HookspecMarker("lamina")
hookimpl = pluggy.HookimplMarker("lamina")


@hookspec
def lamina_layers(register: Register) -> None:
    """Fires when a layer is first looked up or layers are listed; targets are `nn.Module` classes."""


@hookspec
def lamina_losses(register: Register) -> None:
    """Fires when a loss is first looked up or losses are listed; targets are `nn.Module` classes."""


@hookspec
def lamina_optimizers(register: Register) -> None:
    """Fires when an optimizer is first looked up or listed; targets are `optim.Optimizer` classes."""


@hookspec
def lamina_decoders(register: Register) -> None:
    """Fires when a decoder is first looked up or listed; targets are classes with `inputs` and `__call__`."""
