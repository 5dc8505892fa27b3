"""Functions of the circle and the hyperbola, and the exponentials that go with them.

Each is elementwise, differentiable twice, and within a few units in the last place of
float32 on every device.
"""

from __future__ import annotations

from lamina._lamina import Tensor
from lamina.ops._record import TensorLike, one


def expm1(x: TensorLike) -> Tensor:
    """e^x - 1, without the cancellation near 0.

    Args:
        x: Any shape; integers are taken as float32.

    Returns:
        The shape of x, of x's dtype.

    Example:
        >>> ops.expm1(lamina.tensor([0.0, 1e-8])).tolist()[0]
        0.0
    """
    return one("expm1", x)


def log1p(x: TensorLike) -> Tensor:
    """ln(1 + x), without the cancellation near 0; -inf at -1, NaN below.

    Args:
        x: Any shape; integers are taken as float32.

    Returns:
        The shape of x, of x's dtype.

    Example:
        >>> ops.log1p(lamina.tensor([0.0])).tolist()
        [0.0]
    """
    return one("log1p", x)


def tan(x: TensorLike) -> Tensor:
    """Tangent of x in radians.

    Args:
        x: Any shape; integers are taken as float32.

    Returns:
        The shape of x, of x's dtype.

    Example:
        >>> ops.tan(lamina.tensor([0.0])).tolist()
        [0.0]
    """
    return one("tan", x)


def asin(x: TensorLike) -> Tensor:
    """Arc sine, in -pi/2..pi/2; NaN where |x| > 1.

    Args:
        x: Any shape; integers are taken as float32.

    Returns:
        The shape of x, of x's dtype.

    Example:
        >>> ops.asin(lamina.tensor([0.0])).tolist()
        [0.0]
    """
    return one("asin", x)


def acos(x: TensorLike) -> Tensor:
    """Arc cosine, in 0..pi; NaN where |x| > 1.

    Args:
        x: Any shape; integers are taken as float32.

    Returns:
        The shape of x, of x's dtype.

    Example:
        >>> ops.acos(lamina.tensor([1.0])).tolist()
        [0.0]
    """
    return one("acos", x)


def atan(x: TensorLike) -> Tensor:
    """Arc tangent, in -pi/2..pi/2.

    Args:
        x: Any shape; integers are taken as float32.

    Returns:
        The shape of x, of x's dtype.

    Example:
        >>> ops.atan(lamina.tensor([0.0])).tolist()
        [0.0]
    """
    return one("atan", x)


def sinh(x: TensorLike) -> Tensor:
    """Hyperbolic sine (e^x - e^-x) / 2.

    Args:
        x: Any shape; integers are taken as float32.

    Returns:
        The shape of x, of x's dtype.

    Example:
        >>> ops.sinh(lamina.tensor([0.0])).tolist()
        [0.0]
    """
    return one("sinh", x)


def cosh(x: TensorLike) -> Tensor:
    """Hyperbolic cosine (e^x + e^-x) / 2.

    Args:
        x: Any shape; integers are taken as float32.

    Returns:
        The shape of x, of x's dtype.

    Example:
        >>> ops.cosh(lamina.tensor([0.0])).tolist()
        [1.0]
    """
    return one("cosh", x)


def asinh(x: TensorLike) -> Tensor:
    """Inverse hyperbolic sine ln(x + sqrt(x^2 + 1)).

    Args:
        x: Any shape; integers are taken as float32.

    Returns:
        The shape of x, of x's dtype.

    Example:
        >>> ops.asinh(lamina.tensor([0.0])).tolist()
        [0.0]
    """
    return one("asinh", x)


def acosh(x: TensorLike) -> Tensor:
    """Inverse hyperbolic cosine ln(x + sqrt(x^2 - 1)); NaN below 1.

    Args:
        x: Any shape; integers are taken as float32.

    Returns:
        The shape of x, of x's dtype.

    Example:
        >>> ops.acosh(lamina.tensor([1.0])).tolist()
        [0.0]
    """
    return one("acosh", x)


def atanh(x: TensorLike) -> Tensor:
    """Inverse hyperbolic tangent ln((1 + x) / (1 - x)) / 2; infinite at -1 and 1, NaN beyond.

    Args:
        x: Any shape; integers are taken as float32.

    Returns:
        The shape of x, of x's dtype.

    Example:
        >>> ops.atanh(lamina.tensor([0.0])).tolist()
        [0.0]
    """
    return one("atanh", x)
