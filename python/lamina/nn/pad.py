"""Borders around the last axes."""

from __future__ import annotations

from typing import ClassVar, Literal

from lamina import ops
from lamina._lamina import ArgumentError, ShapeError, Tensor
from lamina.nn.module import Module
from lamina.ops._window import Size


class _Pad(Module):
    """Around the last axes, as many as `_axes` says."""

    _axes: ClassVar[int]
    _mode: ClassVar[Literal["constant", "reflect", "edge"]]

    def __init__(self, padding: Size) -> None:
        sides = (padding,) * (2 * self._axes) if isinstance(padding, int) else tuple(padding)
        if len(sides) != 2 * self._axes:
            raise ArgumentError(
                f"{type(self).__name__}: padding={padding!r}; wanted a number, or {2 * self._axes} of them: "
                "before and after the last axis, then of those in front of it"
            )
        self.padding = sides
        self.value = 0.0

    def forward(self, x: Tensor) -> Tensor:
        """(*, as many axes as the name says) to the same with borders."""
        if x.ndim < self._axes:
            raise ShapeError(
                f"{type(self).__name__}: x has shape {x.shape}, wanted {self._axes} axes or more"
            )
        pairs = list(zip(self.padding[::2], self.padding[1::2], strict=True))[::-1]
        return ops.pad(x, [(0, 0)] * (x.ndim - self._axes) + pairs, self._mode, self.value)

    def extra_repr(self) -> str:
        """How many."""
        return f"padding={self.padding}"


class _ConstantPad(_Pad):
    _mode = "constant"

    def __init__(self, padding: Size, value: float) -> None:
        super().__init__(padding)
        self.value = value

    def extra_repr(self) -> str:
        """How many, and of what."""
        return f"padding={self.padding}, value={self.value}"


class _ZeroPad(_Pad):
    _mode = "constant"


class _ReflectionPad(_Pad):
    _mode = "reflect"


class _ReplicationPad(_Pad):
    _mode = "edge"


class ConstantPad1d(_ConstantPad):
    """A number around the last axis; see `lamina.ops.pad`.

    Args:
        padding: How many on each side, or (left, right).
        value: The number.

    Raises:
        ArgumentError: Another number of sides.

    Example:
        >>> nn.ConstantPad1d(1, 7.0)(ops.zeros((1, 1, 3))).shape
        (1, 1, 5)
    """

    _axes = 1


class ConstantPad2d(_ConstantPad):
    """A number around the last two axes; see `lamina.ops.pad`.

    Args:
        padding: How many on each side, or (left, right, top, bottom).
        value: The number.

    Raises:
        ArgumentError: Another number of sides.

    Example:
        >>> nn.ConstantPad2d(1, 7.0)(ops.zeros((1, 1, 3, 3))).shape
        (1, 1, 5, 5)
    """

    _axes = 2


class ConstantPad3d(_ConstantPad):
    """A number around the last three axes; see `lamina.ops.pad`.

    Args:
        padding: How many on each side, or (left, right, top, bottom, front, back).
        value: The number.

    Raises:
        ArgumentError: Another number of sides.

    Example:
        >>> nn.ConstantPad3d(1, 7.0)(ops.zeros((1, 1, 3, 3, 3))).shape
        (1, 1, 5, 5, 5)
    """

    _axes = 3


class ZeroPad1d(_ZeroPad):
    """Zeros around the last axis; see `lamina.ops.pad`.

    Args:
        padding: How many on each side, or (left, right).

    Raises:
        ArgumentError: Another number of sides.

    Example:
        >>> nn.ZeroPad1d(1)(ops.zeros((1, 1, 3))).shape
        (1, 1, 5)
    """

    _axes = 1


class ZeroPad2d(_ZeroPad):
    """Zeros around the last two axes; see `lamina.ops.pad`.

    Args:
        padding: How many on each side, or (left, right, top, bottom).

    Raises:
        ArgumentError: Another number of sides.

    Example:
        >>> nn.ZeroPad2d(1)(ops.zeros((1, 1, 3, 3))).shape
        (1, 1, 5, 5)
    """

    _axes = 2


class ZeroPad3d(_ZeroPad):
    """Zeros around the last three axes; see `lamina.ops.pad`.

    Args:
        padding: How many on each side, or (left, right, top, bottom, front, back).

    Raises:
        ArgumentError: Another number of sides.

    Example:
        >>> nn.ZeroPad3d(1)(ops.zeros((1, 1, 3, 3, 3))).shape
        (1, 1, 5, 5, 5)
    """

    _axes = 3


class ReflectionPad1d(_ReflectionPad):
    """What is inside, mirrored without the border itself, around the last axis; see `lamina.ops.pad`.

    Args:
        padding: How many on each side, or (left, right).

    Raises:
        ArgumentError: Another number of sides.

    Example:
        >>> nn.ReflectionPad1d(1)(ops.zeros((1, 1, 3))).shape
        (1, 1, 5)
    """

    _axes = 1


class ReflectionPad2d(_ReflectionPad):
    """What is inside, mirrored without the border itself, around the last two axes; see `lamina.ops.pad`.

    Args:
        padding: How many on each side, or (left, right, top, bottom).

    Raises:
        ArgumentError: Another number of sides.

    Example:
        >>> nn.ReflectionPad2d(1)(ops.zeros((1, 1, 3, 3))).shape
        (1, 1, 5, 5)
    """

    _axes = 2


class ReflectionPad3d(_ReflectionPad):
    """What is inside, mirrored without the border itself, around the last three axes; see `lamina.ops.pad`.

    Args:
        padding: How many on each side, or (left, right, top, bottom, front, back).

    Raises:
        ArgumentError: Another number of sides.

    Example:
        >>> nn.ReflectionPad3d(1)(ops.zeros((1, 1, 3, 3, 3))).shape
        (1, 1, 5, 5, 5)
    """

    _axes = 3


class ReplicationPad1d(_ReplicationPad):
    """The border, repeated, around the last axis; see `lamina.ops.pad`.

    Args:
        padding: How many on each side, or (left, right).

    Raises:
        ArgumentError: Another number of sides.

    Example:
        >>> nn.ReplicationPad1d(1)(ops.zeros((1, 1, 3))).shape
        (1, 1, 5)
    """

    _axes = 1


class ReplicationPad2d(_ReplicationPad):
    """The border, repeated, around the last two axes; see `lamina.ops.pad`.

    Args:
        padding: How many on each side, or (left, right, top, bottom).

    Raises:
        ArgumentError: Another number of sides.

    Example:
        >>> nn.ReplicationPad2d(1)(ops.zeros((1, 1, 3, 3))).shape
        (1, 1, 5, 5)
    """

    _axes = 2


class ReplicationPad3d(_ReplicationPad):
    """The border, repeated, around the last three axes; see `lamina.ops.pad`.

    Args:
        padding: How many on each side, or (left, right, top, bottom, front, back).

    Raises:
        ArgumentError: Another number of sides.

    Example:
        >>> nn.ReplicationPad3d(1)(ops.zeros((1, 1, 3, 3, 3))).shape
        (1, 1, 5, 5, 5)
    """

    _axes = 3
