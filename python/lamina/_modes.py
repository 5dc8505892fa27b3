"""Switches that hold for a block of code."""

from __future__ import annotations

from contextlib import ContextDecorator
from types import TracebackType

from lamina._lamina import set_grad_enabled, set_thread_limit


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


class thread_limit(ContextDecorator):  # noqa: N801
    """At most so many threads compute for the calling thread inside.

    `lamina.set_num_threads` is the process's number; this is one caller's, as a server wants
    whose threads each run a model. What other threads run is not limited. Results do not depend
    on it. The limit counts where values are computed, not where ops are recorded.

    Args:
        threads: From 1, the calling thread alone, to 256.

    Raises:
        ArgumentError: Another number, on entering.

    Example:
        >>> with lamina.thread_limit(1):
        ...     lamina.num_threads()
        1
    """

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._previous: list[int] = []

    def __enter__(self) -> None:
        self._previous.append(set_thread_limit(self._threads))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        set_thread_limit(self._previous.pop())
