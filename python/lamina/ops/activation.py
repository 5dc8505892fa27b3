"""Activations that are short formulas of elementwise ops, with which they fuse."""

from __future__ import annotations

from typing import Literal

from lamina._lamina import Tensor
from lamina.ops._record import TensorLike, one


def gelu(x: TensorLike, approximate: Literal["none", "tanh"] = "none") -> Tensor:
    """X times the normal distribution's share below x (Hendrycks and Gimpel 2016).

    x / 2 * (1 + erf(x / sqrt(2))), or with `tanh`
    x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))).

    Args:
        x: Any shape, floats.
        approximate: `none`, or `tanh` for the approximation.

    Returns:
        The shape of x, of x's dtype.

    Raises:
        UnsupportedError: x is not of floats.

    Example:
        >>> ops.gelu(lamina.tensor([0.0, 10.0])).tolist()
        [0.0, 10.0]
    """
    return one("gelu", x, approximate=approximate)


def silu(x: TensorLike) -> Tensor:
    """X * sigmoid(x), also called swish.

    Args:
        x: Any shape, floats.

    Returns:
        The shape of x, of x's dtype.

    Raises:
        UnsupportedError: x is not of floats.

    Example:
        >>> ops.silu(lamina.tensor([0.0])).tolist()
        [0.0]
    """
    return one("silu", x)


def hardswish(x: TensorLike) -> Tensor:
    """X * clip(x / 6 + 1 / 2, 0, 1) (Howard et al. 2019).

    Args:
        x: Any shape, floats.

    Returns:
        The shape of x, of x's dtype.

    Raises:
        UnsupportedError: x is not of floats.

    Example:
        >>> ops.hardswish(lamina.tensor([0.0, 4.0])).tolist()
        [0.0, 4.0]
    """
    return one("hardswish", x)


def elu(x: TensorLike, alpha: float = 1.0) -> Tensor:
    """X where x > 0, else alpha * (e^x - 1) (Clevert et al. 2016).

    Args:
        x: Any shape, floats.
        alpha: What it tends to, negated, as x falls.

    Returns:
        The shape of x, of x's dtype.

    Raises:
        UnsupportedError: x is not of floats.

    Example:
        >>> ops.elu(lamina.tensor([0.0, 2.0])).tolist()
        [0.0, 2.0]
    """
    return one("elu", x, alpha=alpha)


def celu(x: TensorLike, alpha: float = 1.0) -> Tensor:
    """X where x > 0, else alpha * (e^(x / alpha) - 1): its slope at 0 is 1 (Barron 2017).

    Args:
        x: Any shape, floats.
        alpha: What it tends to, negated, as x falls; not 0.

    Returns:
        The shape of x, of x's dtype.

    Raises:
        ArgumentError: alpha is 0.
        UnsupportedError: x is not of floats.

    Example:
        >>> ops.celu(lamina.tensor([0.0, 2.0]), 0.5).tolist()
        [0.0, 2.0]
    """
    return one("celu", x, alpha=alpha)


def selu(x: TensorLike) -> Tensor:
    """1.0507 * elu(x, 1.6733): keeps mean 0 and variance 1 (Klambauer et al. 2017).

    Args:
        x: Any shape, floats.

    Returns:
        The shape of x, of x's dtype.

    Raises:
        UnsupportedError: x is not of floats.

    Example:
        >>> ops.selu(lamina.tensor([0.0])).tolist()
        [0.0]
    """
    return one("selu", x)


def softplus(x: TensorLike, beta: float = 1.0) -> Tensor:
    """ln(1 + e^(beta x)) / beta, computed as max(x, 0) + ln(1 + e^-|beta x|) / beta.

    PyTorch gives x itself beyond a threshold, from which it differs by rounding.

    Args:
        x: Any shape, floats.
        beta: How sharp the bend is; not 0.

    Returns:
        The shape of x, of x's dtype.

    Raises:
        ArgumentError: beta is 0.
        UnsupportedError: x is not of floats.

    Example:
        >>> ops.softplus(lamina.tensor([100.0])).tolist()
        [100.0]
    """
    return one("softplus", x, beta=beta)


def softsign(x: TensorLike) -> Tensor:
    """X / (1 + |x|) (Glorot and Bengio 2010).

    Args:
        x: Any shape, floats.

    Returns:
        The shape of x, of x's dtype.

    Raises:
        UnsupportedError: x is not of floats.

    Example:
        >>> ops.softsign(lamina.tensor([-1.0, 3.0])).tolist()
        [-0.5, 0.75]
    """
    return one("softsign", x)


def mish(x: TensorLike) -> Tensor:
    """X * tanh(ln(1 + e^x)) (Misra 2019).

    Args:
        x: Any shape, floats.

    Returns:
        The shape of x, of x's dtype.

    Raises:
        UnsupportedError: x is not of floats.

    Example:
        >>> ops.mish(lamina.tensor([0.0])).tolist()
        [0.0]
    """
    return one("mish", x)


def logsigmoid(x: TensorLike) -> Tensor:
    """Ln sigmoid(x), computed as -ln(1 + e^-x).

    Args:
        x: Any shape, floats.

    Returns:
        The shape of x, of x's dtype.

    Raises:
        UnsupportedError: x is not of floats.

    Example:
        >>> ops.logsigmoid(lamina.tensor([0.0])).tolist()[0] < -0.69
        True
    """
    return one("logsigmoid", x)


def hardsigmoid(x: TensorLike) -> Tensor:
    """Clip(x / 6 + 1 / 2, 0, 1).

    Args:
        x: Any shape, floats.

    Returns:
        The shape of x, of x's dtype.

    Raises:
        UnsupportedError: x is not of floats.

    Example:
        >>> ops.hardsigmoid(lamina.tensor([-4.0, 0.0, 4.0])).tolist()
        [0.0, 0.5, 1.0]
    """
    return one("hardsigmoid", x)


def hardtanh(x: TensorLike, min_val: float = -1.0, max_val: float = 1.0) -> Tensor:
    """X cut at min_val and max_val.

    Args:
        x: Any shape, floats.
        min_val: Lower bound.
        max_val: Upper bound.

    Returns:
        The shape of x, of x's dtype.

    Raises:
        UnsupportedError: x is not of floats.

    Example:
        >>> ops.hardtanh(lamina.tensor([-4.0, 0.5, 4.0])).tolist()
        [-1.0, 0.5, 1.0]
    """
    return one("hardtanh", x, min_val=min_val, max_val=max_val)


def hardshrink(x: TensorLike, lambd: float = 0.5) -> Tensor:
    """X where |x| > lambd, else 0.

    Args:
        x: Any shape, floats.
        lambd: What is taken for nothing.

    Returns:
        The shape of x, of x's dtype.

    Raises:
        UnsupportedError: x is not of floats.

    Example:
        >>> ops.hardshrink(lamina.tensor([-0.5, 2.0])).tolist()
        [0.0, 2.0]
    """
    return one("hardshrink", x, lambd=lambd)


def softshrink(x: TensorLike, lambd: float = 0.5) -> Tensor:
    """X moved towards 0 by lambd, at most to 0.

    Args:
        x: Any shape, floats.
        lambd: How far, 0 or more.

    Returns:
        The shape of x, of x's dtype.

    Raises:
        ArgumentError: lambd is negative.
        UnsupportedError: x is not of floats.

    Example:
        >>> ops.softshrink(lamina.tensor([-0.25, 2.0])).tolist()
        [0.0, 1.5]
    """
    return one("softshrink", x, lambd=lambd)


def threshold(x: TensorLike, threshold: float, value: float) -> Tensor:
    """X where x > threshold, else value.

    Args:
        x: Any shape, floats.
        threshold: What x is held against.
        value: What stands in its place.

    Returns:
        The shape of x, of x's dtype.

    Raises:
        UnsupportedError: x is not of floats.

    Example:
        >>> ops.threshold(lamina.tensor([0.5, 2.0]), 1.0, -1.0).tolist()
        [-1.0, 2.0]
    """
    return one("threshold", x, threshold=threshold, value=value)


def prelu(x: TensorLike, weight: TensorLike) -> Tensor:
    """X where x >= 0, else weight * x, the weight being learned (He et al. 2015).

    Args:
        x: Any shape.
        weight: A shape that broadcasts with that of x; a slope for each channel of images
            (batch, channels, height, width) has shape (channels, 1, 1).

    Returns:
        The broadcast shape, of the promoted dtype.

    Raises:
        ShapeError: The shapes do not broadcast.

    Example:
        >>> ops.prelu(lamina.tensor([-2.0, 3.0]), lamina.tensor([0.5])).tolist()
        [-1.0, 3.0]
    """
    return one("prelu", x, weight)


def relu6(x: TensorLike) -> Tensor:
    """Min(max(x, 0), 6) (Howard et al. 2017).

    Args:
        x: Any shape, floats.

    Returns:
        The shape of x, of x's dtype.

    Raises:
        UnsupportedError: x is not of floats.

    Example:
        >>> ops.relu6(lamina.tensor([-1.0, 2.0, 8.0])).tolist()
        [0.0, 2.0, 6.0]
    """
    return one("relu6", x)


def tanhshrink(x: TensorLike) -> Tensor:
    """X - tanh(x).

    Args:
        x: Any shape, floats.

    Returns:
        The shape of x, of x's dtype.

    Raises:
        UnsupportedError: x is not of floats.

    Example:
        >>> ops.tanhshrink(lamina.tensor([0.0, 100.0])).tolist()
        [0.0, 99.0]
    """
    return one("tanhshrink", x)


def glu(x: TensorLike, dim: int = -1) -> Tensor:
    """The first half of an axis times sigmoid of the second (Dauphin et al. 2017).

    Args:
        x: Any shape, floats.
        dim: The axis, of even length.

    Returns:
        The shape of x with that axis half as long.

    Raises:
        ShapeError: The axis is of odd length.
        UnsupportedError: x is not of floats.

    Example:
        >>> ops.glu(lamina.tensor([2.0, 4.0, 0.0, 100.0])).tolist()
        [1.0, 4.0]
    """
    return one("glu", x, dim=dim)


def softmin(x: TensorLike, dim: int = -1) -> Tensor:
    """e^-x / sum e^-x along an axis.

    Args:
        x: Any shape, floats.
        dim: The axis whose values add up to 1.

    Returns:
        The shape of x.

    Raises:
        UnsupportedError: x is not of floats.

    Example:
        >>> ops.softmin(lamina.tensor([1.0, 1.0])).tolist()
        [0.5, 0.5]
    """
    return one("softmin", x, dim=dim)
