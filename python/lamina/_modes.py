"""Switches that hold for a block of code."""

from __future__ import annotations

from contextlib import ContextDecorator
from types import TracebackType

from lamina._lamina import set_grad_enabled


class _GradMode(ContextDecorator):
    enabled: bool

    def __init__(self) -> None:
        self._previous: list[bool] = []

    def __enter__(self) -> None:
        self._previous.append(set_grad_enabled(self.enabled))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        set_grad_enabled(self._previous.pop())


class no_grad(_GradMode):  # noqa: N801
    """Ops recorded inside have no gradient; usable as `with no_grad():` or `@no_grad()`.

    Example:
        >>> w = lamina.tensor([2.0], requires_grad=True)
        >>> with lamina.no_grad():
        ...     (w * 3).requires_grad
        False
    """

    enabled = False


class enable_grad(_GradMode):  # noqa: N801
    """Gradients again, inside a `no_grad` block.

    Example:
        >>> w = lamina.tensor([2.0], requires_grad=True)
        >>> with lamina.no_grad(), lamina.enable_grad():
        ...     (w * 3).requires_grad
        True
    """

    enabled = True
