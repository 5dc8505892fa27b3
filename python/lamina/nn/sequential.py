"""Modules one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lamina.nn.module import Module


class Sequential(Module):
    """Feeds each module's output to the next; they are named "0", "1", ...

    Args:
        *modules: In the order in which they run.

    Example:
        >>> net = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
        >>> net(ops.zeros((5, 4))).shape, list(net.state_dict())
        ((5, 2), ['0.weight', '0.bias', '2.weight', '2.bias'])
    """

    def __init__(self, *modules: Module) -> None:
        for index, module in enumerate(modules):
            setattr(self, str(index), module)

    def forward(self, x: Any) -> Any:
        """Through every module."""
        for module in self:
            x = module(x)
        return x

    def __iter__(self) -> Iterator[Module]:
        return (module for _, module in self.named_children())

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __getitem__(self, index: int) -> Module:
        return list(self)[index]
