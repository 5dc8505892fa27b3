"""Arithmetic of two operands.

Operands broadcast by NumPy's rule: shapes are aligned at their last axis and
an axis of length 1 is repeated.  Dtypes promote by NumPy's table.  A gradient
is summed over the axes along which its operand was repeated.
"""

from __future__ import annotations

from lamina._lamina import Tensor
from lamina.ops._record import Operand, one


def add(a: Operand, b: Operand) -> Tensor:
    """A + b.

    Args:
        a: Any shape, or a number.
        b: A shape that broadcasts with a's, or a number.

    Returns:
        The broadcast shape, of the promoted dtype.

    Raises:
        ShapeError: The shapes do not broadcast.

    Example:
        >>> ops.add(lamina.tensor([1.0, 2.0]), lamina.tensor([0.5, 0.5])).tolist()
        [1.5, 2.5]
    """
    return one("add", a, b)


def sub(a: Operand, b: Operand) -> Tensor:
    """A - b.

    Args:
        a: Any shape, or a number.
        b: A shape that broadcasts with a's, or a number.

    Returns:
        The broadcast shape, of the promoted dtype.

    Raises:
        ShapeError: The shapes do not broadcast.

    Example:
        >>> ops.sub(lamina.tensor([1.0, 2.0]), lamina.tensor([0.5, 0.5])).tolist()
        [0.5, 1.5]
    """
    return one("sub", a, b)


def mul(a: Operand, b: Operand) -> Tensor:
    """A * b.

    Args:
        a: Any shape, or a number.
        b: A shape that broadcasts with a's, or a number.

    Returns:
        The broadcast shape, of the promoted dtype.

    Raises:
        ShapeError: The shapes do not broadcast.

    Example:
        >>> ops.mul(lamina.tensor([1.0, 2.0]), lamina.tensor([0.5, 0.5])).tolist()
        [0.5, 1.0]
    """
    return one("mul", a, b)


def div(a: Operand, b: Operand) -> Tensor:
    """A / b; integers give a float result, as in NumPy.

    Args:
        a: Any shape, or a number.
        b: A shape that broadcasts with a's, or a number.

    Returns:
        The broadcast shape, of the promoted dtype.

    Raises:
        ShapeError: The shapes do not broadcast.

    Example:
        >>> ops.div(lamina.tensor([1.0, 2.0]), lamina.tensor([0.5, 0.5])).tolist()
        [2.0, 4.0]
    """
    return one("div", a, b)


def floor_div(a: Operand, b: Operand) -> Tensor:
    """floor(a / b).

    Args:
        a: Any shape, or a number.
        b: A shape that broadcasts with a's, or a number.

    Returns:
        The broadcast shape, of the promoted dtype.

    Raises:
        ShapeError: The shapes do not broadcast.

    Example:
        >>> ops.floor_div(lamina.tensor([7.0, -7.0]), lamina.tensor([2.0, 2.0])).tolist()
        [3.0, -4.0]
    """
    return one("floor_div", a, b)


def remainder(a: Operand, b: Operand) -> Tensor:
    """A - b * floor(a / b), with the sign of b (Python's %).

    Args:
        a: Any shape, or a number.
        b: A shape that broadcasts with a's, or a number.

    Returns:
        The broadcast shape, of the promoted dtype.

    Raises:
        ShapeError: The shapes do not broadcast.

    Example:
        >>> ops.remainder(lamina.tensor([7.0, -7.0]), lamina.tensor([4.0, 4.0])).tolist()
        [3.0, 1.0]
    """
    return one("remainder", a, b)


def fmod(a: Operand, b: Operand) -> Tensor:
    """A - b * trunc(a / b), with the sign of a (C's fmod).

    Args:
        a: Any shape, or a number.
        b: A shape that broadcasts with a's, or a number.

    Returns:
        The broadcast shape, of the promoted dtype.

    Raises:
        ShapeError: The shapes do not broadcast.

    Example:
        >>> ops.fmod(lamina.tensor([7.0, -7.0]), lamina.tensor([4.0, 4.0])).tolist()
        [3.0, -3.0]
    """
    return one("fmod", a, b)


def pow(a: Operand, b: Operand) -> Tensor:
    """A to the power b.

    Args:
        a: Any shape, or a number.
        b: A shape that broadcasts with a's, or a number.

    Returns:
        The broadcast shape, of the promoted dtype.

    Raises:
        ShapeError: The shapes do not broadcast.

    Example:
        >>> ops.pow(lamina.tensor([2.0, 3.0]), lamina.tensor([3.0, 2.0])).tolist()
        [8.0, 9.0]
    """
    return one("pow", a, b)


def maximum(a: Operand, b: Operand) -> Tensor:
    """The larger of a and b, NaN if either is; ties share the gradient equally.

    Args:
        a: Any shape, or a number.
        b: A shape that broadcasts with a's, or a number.

    Returns:
        The broadcast shape, of the promoted dtype.

    Raises:
        ShapeError: The shapes do not broadcast.

    Example:
        >>> ops.maximum(lamina.tensor([1.0, 5.0]), lamina.tensor([2.0, 4.0])).tolist()
        [2.0, 5.0]
    """
    return one("maximum", a, b)


def minimum(a: Operand, b: Operand) -> Tensor:
    """The smaller of a and b, NaN if either is; ties share the gradient equally.

    Args:
        a: Any shape, or a number.
        b: A shape that broadcasts with a's, or a number.

    Returns:
        The broadcast shape, of the promoted dtype.

    Raises:
        ShapeError: The shapes do not broadcast.

    Example:
        >>> ops.minimum(lamina.tensor([1.0, 5.0]), lamina.tensor([2.0, 4.0])).tolist()
        [1.0, 4.0]
    """
    return one("minimum", a, b)
