"""The command line: `lamina devices`, `ops`, `run`, `demo`."""

from __future__ import annotations

import sys

from lamina.cli.app import app


def main() -> None:
    """Entry point; a lamina error is one line on stderr and exit code 1."""
    from lamina._lamina import LaminaError

    try:
        app()
    except LaminaError as error:
        print(f"lamina: {error}", file=sys.stderr)  # noqa: T201
        raise SystemExit(1) from None


__all__ = ["app", "main"]
