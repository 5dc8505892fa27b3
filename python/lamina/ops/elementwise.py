"""Elementwise functions of one operand."""

from __future__ import annotations

from lamina._lamina import Tensor
from lamina.ops._record import TensorLike, one


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
