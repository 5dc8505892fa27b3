"""`lamina demo`: learn to read real handwritten digits, then find them on a page."""

from lamina.demo.stages import Report, run

__all__ = ["Report", "run"]
