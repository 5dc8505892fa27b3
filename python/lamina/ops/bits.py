"""Bits of integers.  Bool operands give the logical function; there are no gradients."""

from __future__ import annotations

from lamina._lamina import Tensor
from lamina.ops._record import Operand, TensorLike, one


def bitwise_and(a: Operand, b: Operand) -> Tensor:
    """Bits that are set in a and in b.

    Args:
        a: Integers or bool, or a number.
        b: Likewise; its shape broadcasts with that of a.

    Returns:
        The broadcast shape, of the promoted dtype.

    Raises:
        UnsupportedError: An operand is of floats.
        ShapeError: The shapes do not broadcast.

    Example:
        >>> ops.bitwise_and(lamina.tensor([12, 10]), 6).tolist()
        [4, 2]
    """
    return one("bitwise_and", a, b)


def bitwise_or(a: Operand, b: Operand) -> Tensor:
    """Bits that are set in a or in b.

    Args:
        a: Integers or bool, or a number.
        b: Likewise; its shape broadcasts with that of a.

    Returns:
        The broadcast shape, of the promoted dtype.

    Raises:
        UnsupportedError: An operand is of floats.
        ShapeError: The shapes do not broadcast.

    Example:
        >>> ops.bitwise_or(lamina.tensor([12, 10]), 6).tolist()
        [14, 14]
    """
    return one("bitwise_or", a, b)


def bitwise_xor(a: Operand, b: Operand) -> Tensor:
    """Bits that are set in one of a and b.

    Args:
        a: Integers or bool, or a number.
        b: Likewise; its shape broadcasts with that of a.

    Returns:
        The broadcast shape, of the promoted dtype.

    Raises:
        UnsupportedError: An operand is of floats.
        ShapeError: The shapes do not broadcast.

    Example:
        >>> ops.bitwise_xor(lamina.tensor([12, 10]), 6).tolist()
        [10, 12]
    """
    return one("bitwise_xor", a, b)


def bitwise_not(x: TensorLike) -> Tensor:
    """All bits turned over: -x - 1 in two's complement.

    Args:
        x: Integers or bool, any shape.

    Returns:
        The shape of x, of x's dtype.

    Raises:
        UnsupportedError: x is of floats.

    Example:
        >>> ops.bitwise_not(lamina.tensor([0, 5])).tolist()
        [-1, -6]
    """
    return one("bitwise_not", x)


def bitwise_left_shift(a: Operand, b: Operand) -> Tensor:
    """The bits of a moved up by b, zeros coming in: a 2^b, wrapped.

    A negative b, or one of as many bits as a has, gives 0.

    Args:
        a: Integers, or a number.
        b: Likewise; its shape broadcasts with that of a.

    Returns:
        The broadcast shape, of the promoted dtype.

    Raises:
        UnsupportedError: An operand is of floats.
        ShapeError: The shapes do not broadcast.

    Example:
        >>> ops.bitwise_left_shift(lamina.tensor([1, 3]), 2).tolist()
        [4, 12]
    """
    return one("bitwise_left_shift", a, b)


def bitwise_right_shift(a: Operand, b: Operand) -> Tensor:
    """The bits of a moved down by b: floor(a / 2^b).

    A negative b, or one of as many bits as a has, leaves only the sign: 0 or -1.

    Args:
        a: Integers, or a number.
        b: Likewise; its shape broadcasts with that of a.

    Returns:
        The broadcast shape, of the promoted dtype.

    Raises:
        UnsupportedError: An operand is of floats.
        ShapeError: The shapes do not broadcast.

    Example:
        >>> ops.bitwise_right_shift(lamina.tensor([12, -8]), 2).tolist()
        [3, -2]
    """
    return one("bitwise_right_shift", a, b)
