"""Comparisons, logic, and choices by them.

Operands broadcast as in `arithmetic`.
"""

from __future__ import annotations

from lamina._lamina import Tensor
from lamina.ops._record import Operand, TensorLike, one


def isnan(x: TensorLike) -> Tensor:
    """True where x is not a number.

    Args:
        x: Any shape.

    Returns:
        The shape of x, of bool.

    Example:
        >>> ops.isnan(lamina.tensor([1.0, float('nan')])).tolist()
        [False, True]
    """
    return one("isnan", x)


def logical_not(x: TensorLike) -> Tensor:
    """True where x is False or 0.

    Args:
        x: Any shape.

    Returns:
        The shape of x, of bool.

    Example:
        >>> ops.logical_not(lamina.tensor([True, False])).tolist()
        [False, True]
    """
    return one("logical_not", x)


def eq(a: Operand, b: Operand) -> Tensor:
    """A == b.

    Args:
        a: Any shape, or a number.
        b: A shape that broadcasts with a's, or a number.

    Returns:
        The broadcast shape, of bool.

    Raises:
        ShapeError: The shapes do not broadcast.

    Example:
        >>> ops.eq(lamina.tensor([1, 2]), lamina.tensor([1, 3])).tolist()
        [True, False]
    """
    return one("eq", a, b)


def ne(a: Operand, b: Operand) -> Tensor:
    """A != b.

    Args:
        a: Any shape, or a number.
        b: A shape that broadcasts with a's, or a number.

    Returns:
        The broadcast shape, of bool.

    Raises:
        ShapeError: The shapes do not broadcast.

    Example:
        >>> ops.ne(lamina.tensor([1, 2]), lamina.tensor([1, 3])).tolist()
        [False, True]
    """
    return one("ne", a, b)


def lt(a: Operand, b: Operand) -> Tensor:
    """A < b.

    Args:
        a: Any shape, or a number.
        b: A shape that broadcasts with a's, or a number.

    Returns:
        The broadcast shape, of bool.

    Raises:
        ShapeError: The shapes do not broadcast.

    Example:
        >>> ops.lt(lamina.tensor([1, 2]), lamina.tensor([1, 3])).tolist()
        [False, True]
    """
    return one("lt", a, b)


def le(a: Operand, b: Operand) -> Tensor:
    """A <= b.

    Args:
        a: Any shape, or a number.
        b: A shape that broadcasts with a's, or a number.

    Returns:
        The broadcast shape, of bool.

    Raises:
        ShapeError: The shapes do not broadcast.

    Example:
        >>> ops.le(lamina.tensor([1, 2]), lamina.tensor([1, 3])).tolist()
        [True, True]
    """
    return one("le", a, b)


def gt(a: Operand, b: Operand) -> Tensor:
    """A > b.

    Args:
        a: Any shape, or a number.
        b: A shape that broadcasts with a's, or a number.

    Returns:
        The broadcast shape, of bool.

    Raises:
        ShapeError: The shapes do not broadcast.

    Example:
        >>> ops.gt(lamina.tensor([1, 4]), lamina.tensor([1, 3])).tolist()
        [False, True]
    """
    return one("gt", a, b)


def ge(a: Operand, b: Operand) -> Tensor:
    """A >= b.

    Args:
        a: Any shape, or a number.
        b: A shape that broadcasts with a's, or a number.

    Returns:
        The broadcast shape, of bool.

    Raises:
        ShapeError: The shapes do not broadcast.

    Example:
        >>> ops.ge(lamina.tensor([1, 2]), lamina.tensor([1, 3])).tolist()
        [True, False]
    """
    return one("ge", a, b)


def logical_and(a: Operand, b: Operand) -> Tensor:
    """A and b.

    Args:
        a: Any shape, or a number.
        b: A shape that broadcasts with a's, or a number.

    Returns:
        The broadcast shape, of bool.

    Raises:
        ShapeError: The shapes do not broadcast.

    Example:
        >>> ops.logical_and(lamina.tensor([True, True]), lamina.tensor([True, False])).tolist()
        [True, False]
    """
    return one("logical_and", a, b)


def logical_or(a: Operand, b: Operand) -> Tensor:
    """A or b.

    Args:
        a: Any shape, or a number.
        b: A shape that broadcasts with a's, or a number.

    Returns:
        The broadcast shape, of bool.

    Raises:
        ShapeError: The shapes do not broadcast.

    Example:
        >>> ops.logical_or(lamina.tensor([True, False]), lamina.tensor([False, False])).tolist()
        [True, False]
    """
    return one("logical_or", a, b)


def logical_xor(a: Operand, b: Operand) -> Tensor:
    """Either a or b, not both.

    Args:
        a: Any shape, or a number.
        b: A shape that broadcasts with a's, or a number.

    Returns:
        The broadcast shape, of bool.

    Raises:
        ShapeError: The shapes do not broadcast.

    Example:
        >>> ops.logical_xor(lamina.tensor([True, True]), lamina.tensor([True, False])).tolist()
        [False, True]
    """
    return one("logical_xor", a, b)


def isinf(x: TensorLike) -> Tensor:
    """Whether x is infinite; never of integers.

    Args:
        x: Any shape.

    Returns:
        The shape of x, of bool.

    Example:
        >>> ops.isinf(lamina.tensor([1.0, float("-inf")])).tolist()
        [False, True]
    """
    return one("isinf", x)


def isfinite(x: TensorLike) -> Tensor:
    """Whether x is neither infinite nor NaN; always of integers.

    Args:
        x: Any shape.

    Returns:
        The shape of x, of bool.

    Example:
        >>> ops.isfinite(lamina.tensor([1.0, float("nan")])).tolist()
        [True, False]
    """
    return one("isfinite", x)


def where(condition: Operand, a: Operand, b: Operand) -> Tensor:
    """The elements of a where condition holds, those of b elsewhere.

    Args:
        condition: bool.
        a: A shape that broadcasts with the others, or a number.
        b: Likewise.

    Returns:
        The broadcast shape, of a's and b's promoted dtype.

    Example:
        >>> x = lamina.tensor([-1.0, 2.0])
        >>> ops.where(x > 0, x, 0.0).tolist()
        [0.0, 2.0]
    """
    return one("where", condition, a, b)
