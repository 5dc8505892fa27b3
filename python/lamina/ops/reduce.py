"""Ops that reduce or normalise along axes."""

from __future__ import annotations

from collections.abc import Sequence

from lamina._lamina import Tensor
from lamina.ops._record import Dims, TensorLike, one


def _axes(dim: Dims) -> list[int] | None:
    if dim is None:
        return None
    return list(dim) if isinstance(dim, Sequence) else [dim]


def sum(x: TensorLike, dim: Dims = None, keepdim: bool = False) -> Tensor:
    """The sum over axes; of nothing it is 0.

    Args:
        x: Any shape.
        dim: An axis or several, from either end; None for all.
        keepdim: Keep reduced axes with length 1.

    Returns:
        x's shape without the reduced axes; bool and narrow integers give int64.

    Raises:
        IndexError: An axis is out of range.

    Example:
        >>> ops.sum(lamina.tensor([[1.0, 2.0], [3.0, 4.0]]), dim=0).tolist()
        [4.0, 6.0]
    """
    return one("sum", x, dim=_axes(dim), keepdim=keepdim)


def mean(x: TensorLike, dim: Dims = None, keepdim: bool = False) -> Tensor:
    """The sum over axes divided by the number of elements summed.

    Args:
        x: Any shape, a float dtype.
        dim: An axis or several; None for all.
        keepdim: Keep reduced axes with length 1.

    Returns:
        x's shape without the reduced axes; of nothing, NaN.

    Example:
        >>> ops.mean(lamina.tensor([[1.0, 2.0], [3.0, 4.0]]), dim=1).tolist()
        [1.5, 3.5]
    """
    return one("mean", x, dim=_axes(dim), keepdim=keepdim)


def prod(x: TensorLike, dim: Dims = None, keepdim: bool = False) -> Tensor:
    """The product over axes; of nothing it is 1.

    Args:
        x: Any shape.
        dim: An axis or several; None for all.
        keepdim: Keep reduced axes with length 1.

    Returns:
        x's shape without the reduced axes.

    Example:
        >>> ops.prod(lamina.tensor([2.0, 3.0, 4.0])).item()
        24.0
    """
    return one("prod", x, dim=_axes(dim), keepdim=keepdim)


def max(x: TensorLike, dim: Dims = None, keepdim: bool = False) -> Tensor:
    """The largest value over axes, NaN if one is NaN; ties share the gradient equally.

    Args:
        x: Any shape.
        dim: An axis or several; None for all.
        keepdim: Keep reduced axes with length 1.

    Returns:
        x's shape without the reduced axes.

    Raises:
        ShapeError: A reduced axis has no elements.

    Example:
        >>> ops.max(lamina.tensor([[1.0, 5.0], [3.0, 4.0]]), dim=1).tolist()
        [5.0, 4.0]
    """
    return one("max", x, dim=_axes(dim), keepdim=keepdim)


def min(x: TensorLike, dim: Dims = None, keepdim: bool = False) -> Tensor:
    """The smallest value over axes, NaN if one is NaN; ties share the gradient equally.

    Args:
        x: Any shape.
        dim: An axis or several; None for all.
        keepdim: Keep reduced axes with length 1.

    Returns:
        x's shape without the reduced axes.

    Raises:
        ShapeError: A reduced axis has no elements.

    Example:
        >>> ops.min(lamina.tensor([[1.0, 5.0], [3.0, 4.0]]), dim=1).tolist()
        [1.0, 3.0]
    """
    return one("min", x, dim=_axes(dim), keepdim=keepdim)


def argmax(x: TensorLike, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """The index of the largest value; the lowest index wins ties.

    Args:
        x: Any shape.
        dim: An axis; None counts through the flattened tensor.
        keepdim: Keep the reduced axis with length 1.

    Returns:
        int64, x's shape without that axis.

    Example:
        >>> ops.argmax(lamina.tensor([[1.0, 5.0], [4.0, 4.0]]), dim=1).tolist()
        [1, 0]
    """
    return one("argmax", x, dim=dim, keepdim=keepdim)


def argmin(x: TensorLike, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """The index of the smallest value; the lowest index wins ties.

    Args:
        x: Any shape.
        dim: An axis; None counts through the flattened tensor.
        keepdim: Keep the reduced axis with length 1.

    Returns:
        int64, x's shape without that axis.

    Example:
        >>> ops.argmin(lamina.tensor([[1.0, 5.0], [4.0, 4.0]]), dim=1).tolist()
        [0, 0]
    """
    return one("argmin", x, dim=dim, keepdim=keepdim)


def softmax(x: TensorLike, dim: int = -1) -> Tensor:
    """e^(x - max) / sum e^(x - max) along an axis.

    Args:
        x: Any shape, a float dtype.
        dim: The axis whose values add up to 1.

    Returns:
        The shape of x.

    Example:
        >>> ops.softmax(lamina.tensor([0.0, 0.0])).tolist()
        [0.5, 0.5]
    """
    return one("softmax", x, dim=dim)


def log_softmax(x: TensorLike, dim: int = -1) -> Tensor:
    """(x - max) - log sum e^(x - max) along an axis.

    Args:
        x: Any shape, a float dtype.
        dim: The axis over which probabilities add up to 1.

    Returns:
        The shape of x.

    Example:
        >>> ops.log_softmax(lamina.tensor([[7.0]])).tolist()
        [[0.0]]
    """
    return one("log_softmax", x, dim=dim)


def cumsum(x: TensorLike, dim: int, exclusive: bool = False, reverse: bool = False) -> Tensor:
    """Running sums along an axis.

    Args:
        x: Any shape.
        dim: The axis.
        exclusive: Leave out the element itself: the first sum is 0.
        reverse: Run from the end.

    Returns:
        The shape of x; of x's dtype, int64 for bool and integers below 64 bits.

    Raises:
        ShapeError: There is no such axis.

    Example:
        >>> ops.cumsum(lamina.tensor([1.0, 2.0, 3.0]), 0).tolist()
        [1.0, 3.0, 6.0]
    """
    return one("cumsum", x, dim=dim, exclusive=exclusive, reverse=reverse)


def cumprod(x: TensorLike, dim: int, exclusive: bool = False, reverse: bool = False) -> Tensor:
    """Running products along an axis; not differentiable.

    Args:
        x: Any shape.
        dim: The axis.
        exclusive: Leave out the element itself: the first product is 1.
        reverse: Run from the end.

    Returns:
        The shape of x; of x's dtype, int64 for bool and integers below 64 bits.

    Raises:
        ShapeError: There is no such axis.

    Example:
        >>> ops.cumprod(lamina.tensor([1.0, 2.0, 3.0]), 0).tolist()
        [1.0, 2.0, 6.0]
    """
    return one("cumprod", x, dim=dim, exclusive=exclusive, reverse=reverse)


def var(x: TensorLike, dim: Dims = None, correction: float = 1.0, keepdim: bool = False) -> Tensor:
    """The mean square of the distance from the mean, in two passes.

    sum((x - mean)^2) / (n - correction): 1 is Bessel's correction, 0 the variance of all there is.

    Args:
        x: Any shape, floats.
        dim: An axis or several; None for all.
        correction: Taken off the number of elements.
        keepdim: Keep reduced axes with length 1.

    Returns:
        x's shape without the reduced axes; NaN where nothing is left to divide by.

    Raises:
        UnsupportedError: x is not of floats.

    Example:
        >>> ops.var(lamina.tensor([1.0, 2.0, 3.0])).tolist()
        1.0
    """
    return one("var", x, dim=_axes(dim), correction=correction, keepdim=keepdim)


def std(x: TensorLike, dim: Dims = None, correction: float = 1.0, keepdim: bool = False) -> Tensor:
    """The square root of `var`; its gradient is 0 where it is 0.

    Args:
        x: Any shape, floats.
        dim: An axis or several; None for all.
        correction: Taken off the number of elements.
        keepdim: Keep reduced axes with length 1.

    Returns:
        x's shape without the reduced axes.

    Raises:
        UnsupportedError: x is not of floats.

    Example:
        >>> ops.std(lamina.tensor([1.0, 3.0]), correction=0).tolist()
        1.0
    """
    return one("std", x, dim=_axes(dim), correction=correction, keepdim=keepdim)


def logsumexp(x: TensorLike, dim: Dims = None, keepdim: bool = False) -> Tensor:
    """ln(sum(e^x)) over axes, computed as m + ln(sum(e^(x - m))), m the largest.

    Args:
        x: Any shape, floats.
        dim: An axis or several; None for all.
        keepdim: Keep reduced axes with length 1.

    Returns:
        x's shape without the reduced axes; of nothing, minus infinity.

    Raises:
        UnsupportedError: x is not of floats.

    Example:
        >>> ops.logsumexp(lamina.tensor([1000.0, -1000.0])).tolist()
        1000.0
    """
    return one("logsumexp", x, dim=_axes(dim), keepdim=keepdim)


def norm(x: TensorLike, ord: float = 2.0, dim: Dims = None, keepdim: bool = False) -> Tensor:
    """(sum(|x|^ord))^(1 / ord) over axes.

    Args:
        x: Any shape, floats.
        ord: 1, 2 or any positive number; infinity for the largest |x|, minus infinity for the
            smallest, 0 for how many are not 0.
        dim: An axis or several; None for all.
        keepdim: Keep reduced axes with length 1.

    Returns:
        x's shape without the reduced axes.  Where the 2-norm is 0 its gradient is 0.

    Raises:
        ArgumentError: ord is negative and finite.
        UnsupportedError: x is not of floats.

    Example:
        >>> ops.norm(lamina.tensor([3.0, -4.0])).tolist()
        5.0
    """
    return one("norm", x, ord=ord, dim=_axes(dim), keepdim=keepdim)
