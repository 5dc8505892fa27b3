"""Elementwise ops.

Operands broadcast by NumPy's rule: shapes are aligned at their last axis and
an axis of length 1 is repeated.  Dtypes promote by NumPy's table.  A gradient
is summed over the axes along which its operand was repeated.
"""

from __future__ import annotations

from typing import Literal

from lamina._lamina import DType, Tensor
from lamina.ops._record import Operand, TensorLike, one


def neg(x: TensorLike) -> Tensor:
    """-x.

    Args:
        x: Any shape.

    Returns:
        The shape of x, of x's dtype.

    Example:
        >>> ops.neg(lamina.tensor([1.0, -2.0])).tolist()
        [-1.0, 2.0]
    """
    return one("neg", x)


def abs(x: TensorLike) -> Tensor:
    """|x|; its gradient at 0 is 0.

    Args:
        x: Any shape.

    Returns:
        The shape of x, of x's dtype.

    Example:
        >>> ops.abs(lamina.tensor([1.0, -2.0])).tolist()
        [1.0, 2.0]
    """
    return one("abs", x)


def sign(x: TensorLike) -> Tensor:
    """-1, 0 or 1 by the sign of x; its gradient is 0.

    Args:
        x: Any shape.

    Returns:
        The shape of x, of x's dtype.

    Example:
        >>> ops.sign(lamina.tensor([3.0, 0.0, -2.0])).tolist()
        [1.0, 0.0, -1.0]
    """
    return one("sign", x)


def floor(x: TensorLike) -> Tensor:
    """The largest whole number <= x; its gradient is 0.

    Args:
        x: Any shape.

    Returns:
        The shape of x, of x's dtype.

    Example:
        >>> ops.floor(lamina.tensor([1.5, -1.5])).tolist()
        [1.0, -2.0]
    """
    return one("floor", x)


def ceil(x: TensorLike) -> Tensor:
    """The smallest whole number >= x; its gradient is 0.

    Args:
        x: Any shape.

    Returns:
        The shape of x, of x's dtype.

    Example:
        >>> ops.ceil(lamina.tensor([1.5, -1.5])).tolist()
        [2.0, -1.0]
    """
    return one("ceil", x)


def round(x: TensorLike) -> Tensor:
    """The nearest whole number, halves to even; its gradient is 0.

    Args:
        x: Any shape.

    Returns:
        The shape of x, of x's dtype.

    Example:
        >>> ops.round(lamina.tensor([0.5, 1.5, 2.6])).tolist()
        [0.0, 2.0, 3.0]
    """
    return one("round", x)


def reciprocal(x: TensorLike) -> Tensor:
    """1 / x.

    Args:
        x: Any shape.

    Returns:
        The shape of x, of x's dtype.

    Example:
        >>> ops.reciprocal(lamina.tensor([2.0, 4.0])).tolist()
        [0.5, 0.25]
    """
    return one("reciprocal", x)


def square(x: TensorLike) -> Tensor:
    """X * x.

    Args:
        x: Any shape.

    Returns:
        The shape of x, of x's dtype.

    Example:
        >>> ops.square(lamina.tensor([3.0, -2.0])).tolist()
        [9.0, 4.0]
    """
    return one("square", x)


def sqrt(x: TensorLike) -> Tensor:
    """The square root of x, NaN below 0.

    Args:
        x: Any shape.

    Returns:
        The shape of x, of x's dtype.

    Example:
        >>> ops.sqrt(lamina.tensor([4.0, 9.0])).tolist()
        [2.0, 3.0]
    """
    return one("sqrt", x)


def rsqrt(x: TensorLike) -> Tensor:
    """1 / sqrt(x).

    Args:
        x: Any shape.

    Returns:
        The shape of x, of x's dtype.

    Example:
        >>> ops.rsqrt(lamina.tensor([4.0, 16.0])).tolist()
        [0.5, 0.25]
    """
    return one("rsqrt", x)


def exp(x: TensorLike) -> Tensor:
    """E to the power x.

    Args:
        x: Any shape.

    Returns:
        The shape of x, of x's dtype.

    Example:
        >>> ops.exp(lamina.tensor([0.0])).tolist()
        [1.0]
    """
    return one("exp", x)


def log(x: TensorLike) -> Tensor:
    """The natural logarithm of x, NaN below 0.

    Args:
        x: Any shape.

    Returns:
        The shape of x, of x's dtype.

    Example:
        >>> ops.log(lamina.tensor([1.0])).tolist()
        [0.0]
    """
    return one("log", x)


def sin(x: TensorLike) -> Tensor:
    """The sine of x in radians.

    Args:
        x: Any shape.

    Returns:
        The shape of x, of x's dtype.

    Example:
        >>> ops.sin(lamina.tensor([0.0])).tolist()
        [0.0]
    """
    return one("sin", x)


def cos(x: TensorLike) -> Tensor:
    """The cosine of x in radians.

    Args:
        x: Any shape.

    Returns:
        The shape of x, of x's dtype.

    Example:
        >>> ops.cos(lamina.tensor([0.0])).tolist()
        [1.0]
    """
    return one("cos", x)


def tanh(x: TensorLike) -> Tensor:
    """(e^x - e^-x) / (e^x + e^-x).

    Args:
        x: Any shape.

    Returns:
        The shape of x, of x's dtype.

    Example:
        >>> ops.tanh(lamina.tensor([0.0])).tolist()
        [0.0]
    """
    return one("tanh", x)


def sigmoid(x: TensorLike) -> Tensor:
    """1 / (1 + e^-x), without overflow at either end.

    Args:
        x: Any shape.

    Returns:
        The shape of x, of x's dtype.

    Example:
        >>> ops.sigmoid(lamina.tensor([0.0])).tolist()
        [0.5]
    """
    return one("sigmoid", x)


def erf(x: TensorLike) -> Tensor:
    """2 / sqrt(pi) times the integral of e^(-t^2) from 0 to x.

    Args:
        x: Any shape.

    Returns:
        The shape of x, of x's dtype.

    Example:
        >>> ops.erf(lamina.tensor([0.0])).tolist()
        [0.0]
    """
    return one("erf", x)


def relu(x: TensorLike) -> Tensor:
    """max(x, 0); its gradient at 0 is 0.

    Args:
        x: Any shape.

    Returns:
        The shape of x, of x's dtype.

    Example:
        >>> ops.relu(lamina.tensor([-1.0, 2.0])).tolist()
        [0.0, 2.0]
    """
    return one("relu", x)


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


def trunc(x: TensorLike) -> Tensor:
    """X without its fraction: rounded towards 0; its gradient is 0.

    Args:
        x: Any shape; integers are taken as float32.

    Returns:
        The shape of x, of x's dtype.

    Example:
        >>> ops.trunc(lamina.tensor([1.7, -1.7])).tolist()
        [1.0, -1.0]
    """
    return one("trunc", x)


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


def leaky_relu(x: TensorLike, negative_slope: float = 0.01) -> Tensor:
    """X where x > 0, else negative_slope * x (Maas et al. 2013).

    Args:
        x: Any shape.
        negative_slope: Slope below 0.

    Returns:
        The shape of x, of x's dtype.

    Example:
        >>> ops.leaky_relu(lamina.tensor([-2.0, 3.0]), 0.5).tolist()
        [-1.0, 3.0]
    """
    return one("leaky_relu", x, negative_slope=negative_slope)


def clip(x: TensorLike, min: float | None = None, max: float | None = None) -> Tensor:
    """Values limited to [min, max]; the gradient is 0 where a value was cut.

    Args:
        x: Any shape.
        min: Lower bound, None for none.
        max: Upper bound, None for none.

    Returns:
        The shape of x, of x's dtype.

    Example:
        >>> ops.clip(lamina.tensor([-2.0, 0.5, 3.0]), 0.0, 1.0).tolist()
        [0.0, 0.5, 1.0]
    """
    return one("clip", x, min=min, max=max)


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


def cast(
    x: TensorLike,
    dtype: DType,
    saturate: bool = True,
    round_mode: Literal["up", "down", "nearest"] = "up",
) -> Tensor:
    """The same values in another dtype, as NumPy's astype rounds them.

    The narrow dtypes of `lamina.dtypes()` (`float8_e4m3fn`, `float8_e4m3fnuz`, `float8_e5m2`,
    `float8_e5m2fnuz`, `float8_e8m0fnu`, `float4_e2m1fn`, `int4`, `uint4`, `int2`, `uint2`) are
    stored, moved and cast; to compute with them, cast them first.  Their floats round to the
    nearest, ties to even (Micikevicius et al. 2022); their integers wrap.

    Args:
        x: Any shape.
        dtype: `lamina.float32`, `lamina.int64`, ...
        saturate: Where a narrow float is too small for a number: its largest, or infinity
            or NaN if False.
        round_mode: What `float8_e8m0fnu`, which has only powers of two, makes of others.

    Returns:
        The shape of x.  Between float dtypes the gradient passes, cast back; narrow dtypes
        carry none.

    Raises:
        ArgumentError: round_mode is none of these.

    Example:
        >>> ops.cast(lamina.tensor([1.7, -1.7]), lamina.int32).tolist()
        [1, -1]
    """
    return one("cast", x, dtype=dtype, saturate=saturate, round_mode=round_mode)


def bitcast(x: TensorLike, dtype: DType) -> Tensor:
    """The bits of x read as another dtype; not differentiable.

    Args:
        x: Any shape.
        dtype: One of as many bits as x's, not bool.

    Returns:
        The shape of x.

    Raises:
        DTypeError: The dtypes differ in size, or dtype is bool.

    Example:
        >>> ops.bitcast(lamina.tensor([1.0]), lamina.int32).tolist() == [0x3F800000]
        True
    """
    return one("bitcast", x, dtype=dtype)
