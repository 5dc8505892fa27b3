"""Ops that read or write by index, and ops that order."""

from __future__ import annotations

from typing import Literal

from lamina._lamina import Tensor
from lamina.ops._record import TensorLike, many, one


def gather(x: TensorLike, index: TensorLike, dim: int) -> Tensor:
    """`out[i][j][k] = x[i][index[i][j][k]][k]` for dim = 1, and so on.

    Args:
        x: Any shape.
        index: Integers, as many axes as x, from either end.
        dim: The axis that is indexed.

    Returns:
        The shape of index, x's dtype.

    Raises:
        IndexError: An index is out of range (when evaluated).

    Example:
        >>> x = lamina.tensor([[1, 2], [3, 4]])
        >>> ops.gather(x, lamina.tensor([[1], [0]]), 1).tolist()
        [[2], [3]]
    """
    return one("gather", x, index, dim=dim)


def take(x: TensorLike, index: TensorLike, dim: int = 0) -> Tensor:
    """Whole slices of x by index; `x[index]` for dim = 0.

    Args:
        x: Any shape.
        index: Integers, any shape, from either end.
        dim: The axis that is indexed.

    Returns:
        x's shape with axis `dim` replaced by index's axes.

    Raises:
        IndexError: An index is out of range (when evaluated).

    Example:
        >>> ops.take(lamina.tensor([10, 20, 30]), lamina.tensor([[2, 0]])).tolist()
        [[30, 10]]
    """
    return one("take", x, index, dim=dim)


def embedding(index: TensorLike, weight: TensorLike) -> Tensor:
    """Rows of weight by index.

    Args:
        index: Integers, any shape.
        weight: (count, dim).

    Returns:
        index's shape, then (dim,).

    Raises:
        IndexError: An index is out of range (when evaluated).

    Example:
        >>> ops.embedding(lamina.tensor([2, 0]), lamina.tensor([[1.0], [2.0], [3.0]])).tolist()
        [[3.0], [1.0]]
    """
    return one("embedding", index, weight)


def index_select(x: TensorLike, dim: int, index: TensorLike) -> Tensor:
    """`take` with a 1-d index, in PyTorch's order of arguments.

    Args:
        x: Any shape.
        dim: The axis that is indexed.
        index: Integers, (count,).

    Returns:
        x's shape with axis `dim` as long as index.

    Example:
        >>> ops.index_select(lamina.tensor([[1, 2], [3, 4]]), 1, lamina.tensor([1])).tolist()
        [[2], [4]]
    """
    return one("take", x, index, dim=dim)


def scatter_add(x: TensorLike, index: TensorLike, source: TensorLike, dim: int = 0) -> Tensor:
    """X with `out[index[i][j]][j] += source[i][j]` for dim = 0, and so on.

    Args:
        x: Any shape.
        index: Integers, as many axes as x.
        source: The shape of index, x's dtype.
        dim: The axis that is indexed.

    Returns:
        The shape of x.  Sums are made in the order of the indices: the same bits at each run.

    Raises:
        IndexError: An index is out of range (when evaluated).

    Example:
        >>> zero = lamina.tensor([0.0, 0.0])
        >>> ops.scatter_add(zero, lamina.tensor([1, 1]), lamina.tensor([2.0, 3.0])).tolist()
        [0.0, 5.0]
    """
    return one("scatter_add", x, index, source, dim=dim)


def scatter(x: TensorLike, index: TensorLike, source: TensorLike, dim: int = 0) -> Tensor:
    """X with `out[index[i][j]][j] = source[i][j]` for dim = 0, and so on.

    Of several for one place the last stays.

    Args:
        x: Any shape.
        index: Integers, as many axes as x.
        source: The shape of index.
        dim: The axis that is indexed.

    Returns:
        The shape of x, of x's dtype.

    Raises:
        IndexError: An index is out of range (when evaluated).

    Example:
        >>> zero = lamina.tensor([0.0, 0.0])
        >>> ops.scatter(zero, lamina.tensor([1, 1]), lamina.tensor([2.0, 3.0])).tolist()
        [0.0, 3.0]
    """
    return one("scatter", x, index, source, dim=dim)


def scatter_reduce(
    x: TensorLike,
    index: TensorLike,
    source: TensorLike,
    dim: int = 0,
    reduce: Literal["sum", "prod", "amax", "amin"] = "sum",
) -> Tensor:
    """X with `out[index[i][j]][j]` made one with `source[i][j]` for dim = 0, and so on.

    Args:
        x: Any shape; its own elements are included.
        index: Integers, as many axes as x.
        source: The shape of index.
        dim: The axis that is indexed.
        reduce: `sum`, `prod`, `amax` or `amin`; NaN wins.

    Returns:
        The shape of x, of x's dtype.  Of an extreme all that are equal to it share the
        gradient; products have none.

    Raises:
        ArgumentError: reduce is none of these.
        IndexError: An index is out of range (when evaluated).

    Example:
        >>> x = lamina.tensor([1.0, 2.0])
        >>> ops.scatter_reduce(x, lamina.tensor([1, 1]), lamina.tensor([4.0, 3.0]), 0, "prod").tolist()
        [1.0, 24.0]
    """
    return one("scatter_reduce", x, index, source, dim=dim, reduce=reduce)


def one_hot(index: TensorLike, num_classes: int) -> Tensor:
    """1 at each index, 0 elsewhere, along a new last axis.

    Args:
        index: Integers, any shape; one outside 0..num_classes gives zeros.
        num_classes: Length of the new axis.

    Returns:
        float32, index's shape and (num_classes,).

    Example:
        >>> ops.one_hot(lamina.tensor([1, 0]), 3).tolist()
        [[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]
    """
    return one("one_hot", index, num_classes=num_classes)


def sort(x: TensorLike, dim: int = -1, descending: bool = False) -> tuple[Tensor, Tensor]:
    """Values in order along an axis, and where they were; stable, NaN last.

    Args:
        x: Any shape.
        dim: The axis.
        descending: Largest first.

    Returns:
        Values and int64 indices, both of x's shape.

    Example:
        >>> [t.tolist() for t in ops.sort(lamina.tensor([3.0, 1.0, 2.0]))]
        [[1.0, 2.0, 3.0], [1, 2, 0]]
    """
    values, index = many("sort", [x], {"dim": dim, "descending": descending})
    return values, index


def topk(x: TensorLike, k: int, dim: int = -1, largest: bool = True) -> tuple[Tensor, Tensor]:
    """The k largest (or smallest) values along an axis, in order; lower index wins ties.

    Args:
        x: Any shape.
        k: How many.
        dim: The axis.
        largest: False for the smallest.

    Returns:
        Values and int64 indices, x's shape with axis `dim` of length k.

    Raises:
        ShapeError: The axis is shorter than k.

    Example:
        >>> [t.tolist() for t in ops.topk(lamina.tensor([3.0, 1.0, 2.0]), 2)]
        [[3.0, 2.0], [0, 2]]
    """
    values, index = many("topk", [x], {"k": k, "dim": dim, "largest": largest})
    return values, index
