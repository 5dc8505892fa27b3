"""Layers, losses, optimizers and decoders by name, from lamina and from installed plugins.

A plugin is a distribution with an entry point in the group `lamina`, naming a
module that implements hooks of `lamina.hookspecs`.  Plugins are imported at the
first look-up.
"""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import pluggy

from lamina import builtins_plugin, hookspecs
from lamina._lamina import LaminaError
from lamina.hookspecs import hookimpl

KINDS = {
    "layer": "lamina_layers",
    "loss": "lamina_losses",
    "optimizer": "lamina_optimizers",
    "decoder": "lamina_decoders",
}


class RegistryError(LaminaError, LookupError):
    """A name that is unknown, or registered twice."""


class PluginWarning(UserWarning):
    """A plugin that could not be imported and is left out."""


@dataclass
class _Entry:
    target: object
    distribution: str


@dataclass
class Registry:
    """Names by kind.

    Args:
        entry_points: Where plugins come from; None for the installed distributions.

    Attributes:
        failures: Plugins that could not be imported, and why.
    """

    entry_points: Iterable[importlib.metadata.EntryPoint] | None = None
    failures: dict[str, str] = field(default_factory=dict)
    _kinds: dict[str, dict[str, _Entry]] = field(default_factory=dict)

    @functools.cached_property
    def _plugins(self) -> pluggy.PluginManager:
        manager = pluggy.PluginManager("lamina")
        manager.add_hookspecs(hookspecs)
        manager.register(builtins_plugin, name="lamina")
        points = self.entry_points
        for point in importlib.metadata.entry_points(group="lamina") if points is None else points:
            distribution = point.dist.name if point.dist is not None else point.name
            try:
                manager.register(point.load(), name=distribution)
            except Exception as error:
                self._leave_out(distribution, error)
        return manager

    def _leave_out(self, distribution: str, error: Exception) -> None:
        self.failures[distribution] = f"{type(error).__name__}: {error}"
        warnings.warn(
            f"lamina's plugin '{distribution}' is left out: {self.failures[distribution]}",
            PluginWarning,
            stacklevel=3,
        )

    def _entries(self, kind: str) -> dict[str, _Entry]:
        if kind not in KINDS:
            raise RegistryError(f"registry: unknown kind '{kind}'; there are: {', '.join(KINDS)}")
        if kind not in self._kinds:
            found: dict[str, _Entry] = {}
            # Called one by one rather than through the hook, so that a clash
            # names its two distributions and a failure only its own.
            for implementation in getattr(self._plugins.hook, KINDS[kind]).get_hookimpls():
                try:
                    implementation.function(_register_into(found, kind, implementation.plugin_name))
                except RegistryError:
                    raise
                except Exception as error:
                    self._leave_out(implementation.plugin_name, error)
            self._kinds[kind] = found
        return self._kinds[kind]

    def names(self, kind: str) -> list[str]:
        """All names of a kind, sorted.

        Raises:
            RegistryError: There is no such kind, or a name is registered twice.
        """
        return sorted(self._entries(kind))

    def get(self, kind: str, name: str) -> Any:
        """The object of that name; its module is imported now.

        Args:
            kind: `layer`, `loss`, `optimizer` or `decoder`.
            name: Its name.

        Raises:
            RegistryError: There is no such name, one is registered twice, or the
                target cannot be imported.
        """
        entries = self._entries(kind)
        if name not in entries:
            raise RegistryError(f"registry: unknown {kind} '{name}'; there are: {', '.join(sorted(entries))}")
        entry = entries[name]
        if isinstance(entry.target, str):
            module, _, attribute = entry.target.partition(":")
            try:
                entry.target = functools.reduce(
                    getattr, attribute.split("."), importlib.import_module(module)
                )
            except (ImportError, AttributeError) as error:
                raise RegistryError(
                    f"registry: {kind} '{name}' of distribution '{entry.distribution}': {error}"
                ) from error
        return entry.target

    def origin(self, kind: str, name: str) -> str:
        """The distribution that registered a name."""
        self.get(kind, name)
        return self._entries(kind)[name].distribution


def _register_into(found: dict[str, _Entry], kind: str, distribution: str) -> Callable[[str, object], None]:
    def register(name: str, target: object) -> None:
        if name in found:
            raise RegistryError(
                f"registry: {kind} '{name}' is registered by '{found[name].distribution}' and by "
                f"'{distribution}'; uninstall one of them"
            )
        found[name] = _Entry(target, distribution)

    return register


default = Registry()
names = default.names
get = default.get
origin = default.origin

__all__ = [
    "KINDS",
    "PluginWarning",
    "Registry",
    "RegistryError",
    "default",
    "get",
    "hookimpl",
    "names",
    "origin",
]
