"""Ops that read or write by index."""

from __future__ import annotations

from typing import Literal

from lamina._lamina import Tensor
from lamina.ops._record import TensorLike, one


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


def embedding(index: TensorLike, weight: TensorLike, padding_idx: int | None = None) -> Tensor:
    """Rows of weight by index.

    Args:
        index: Integers, any shape.
        weight: (count, dim).
        padding_idx: The row that gets no gradient.

    Returns:
        index's shape, then (dim,).

    Raises:
        IndexError: An index is out of range (when evaluated).

    Example:
        >>> ops.embedding(lamina.tensor([2, 0]), lamina.tensor([[1.0], [2.0], [3.0]])).tolist()
        [[3.0], [1.0]]
    """
    return one("embedding", index, weight, padding_idx=padding_idx)


def embedding_bag(
    index: TensorLike,
    weight: TensorLike,
    mode: Literal["sum", "mean", "max"] = "mean",
    per_sample_weights: TensorLike | None = None,
    padding_idx: int | None = None,
) -> Tensor:
    """Rows of weight by index, those of a bag made one; a bag of nothing is zeros.

    Args:
        index: Integers, (bags, size).
        weight: (count, dim).
        mode: What becomes of the rows of a bag.
        per_sample_weights: What each row is multiplied by, the shape of index; for `sum` alone.
        padding_idx: An index that is in no bag.

    Returns:
        (bags, dim).

    Raises:
        IndexError: An index is out of range (when evaluated).
        ShapeError: index or weight is no matrix.
        ArgumentError: An unknown mode, or weights of samples beside another than `sum`.

    Example:
        >>> rows = lamina.tensor([[1.0], [2.0], [4.0]])
        >>> ops.embedding_bag(lamina.tensor([[0, 2], [1, 1]]), rows).tolist()
        [[2.5], [2.0]]
    """
    inputs = [index, weight] if per_sample_weights is None else [index, weight, per_sample_weights]
    return one("embedding_bag", *inputs, mode=mode, padding_idx=padding_idx)


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


def index_add(x: TensorLike, dim: int, index: TensorLike, source: TensorLike) -> Tensor:
    """X with `out[index[i]] += source[i]` for dim = 0, and so on.

    Args:
        x: Any shape.
        dim: The axis that is indexed.
        index: Integers, (count,).
        source: x's shape with axis `dim` as long as index.

    Returns:
        The shape of x.

    Raises:
        IndexError: An index is out of range (when evaluated).

    Example:
        >>> zero = lamina.tensor([0.0, 0.0])
        >>> ops.index_add(zero, 0, lamina.tensor([1, 1]), lamina.tensor([2.0, 3.0])).tolist()
        [0.0, 5.0]
    """
    return one("index_add", x, index, source, dim=dim)


def index_copy(x: TensorLike, dim: int, index: TensorLike, source: TensorLike) -> Tensor:
    """X with `out[index[i]] = source[i]` for dim = 0, and so on; of several the last stays.

    Args:
        x: Any shape.
        dim: The axis that is indexed.
        index: Integers, (count,).
        source: x's shape with axis `dim` as long as index.

    Returns:
        The shape of x, of x's dtype.

    Raises:
        IndexError: An index is out of range (when evaluated).

    Example:
        >>> zero = lamina.tensor([0.0, 0.0])
        >>> ops.index_copy(zero, 0, lamina.tensor([1]), lamina.tensor([2.0])).tolist()
        [0.0, 2.0]
    """
    return one("index_put", x, index, source, dim=dim)


def gather_nd(x: TensorLike, index: TensorLike, batch_dims: int = 0) -> Tensor:
    """`out[i] = x[index[i][0], index[i][1], ...]`: the part of x that each tuple names.

    Args:
        x: Any shape.
        index: Integers from either end, (*, k): tuples along the last axis.
        batch_dims: How many leading axes x and index have in common; tuples index those behind.

    Returns:
        index's shape without its last axis, then x's axes that are not indexed.

    Raises:
        IndexError: An index is out of range (when evaluated).
        ShapeError: Tuples are longer than x has axes, or the common axes differ.

    Example:
        >>> x = lamina.tensor([[1, 2], [3, 4]])
        >>> ops.gather_nd(x, lamina.tensor([[0, 1], [1, 0]])).tolist()
        [2, 3]
    """
    return one("gather_nd", x, index, batch_dims=batch_dims)


def scatter_nd(
    x: TensorLike,
    index: TensorLike,
    updates: TensorLike,
    reduce: Literal["sum", "prod", "amax", "amin"] | None = None,
) -> Tensor:
    """X with `out[index[i][0], index[i][1], ...] = updates[i]`, or made one with what was there.

    Args:
        x: Any shape.
        index: Integers from either end, (*, k): tuples along the last axis.
        updates: index's shape without its last axis, then x's axes that are not indexed.
        reduce: What is made of two elements for one place; None: of several the last stays.

    Returns:
        The shape of x, of x's dtype.

    Raises:
        IndexError: An index is out of range (when evaluated).
        ShapeError: The shapes do not belong together.

    Example:
        >>> x = lamina.tensor([1.0, 2.0, 3.0])
        >>> ops.scatter_nd(x, lamina.tensor([[0], [2]]), lamina.tensor([9.0, 8.0])).tolist()
        [9.0, 2.0, 8.0]
    """
    return one("scatter_nd", x, index, updates, reduce=reduce)


def compress(x: TensorLike, condition: TensorLike, dim: int | None = None) -> Tensor:
    """The slices of an axis for which a condition holds; it is evaluated at the call.

    Args:
        x: Any shape.
        condition: (count,); what lies beyond its end is left out.
        dim: The axis; None for the flattened tensor.

    Returns:
        x's shape with axis `dim` as long as the condition holds, or that many elements.

    Raises:
        ShapeError: The condition is longer than the axis.

    Example:
        >>> x = lamina.tensor([[1, 2], [3, 4]])
        >>> ops.compress(x, lamina.tensor([False, True]), 1).tolist()
        [[2], [4]]
    """
    return one("compress", x, condition, dim=dim)


def nonzero(x: TensorLike) -> Tensor:
    """The indices of all elements that are not 0, in row-major order; x is evaluated at the call.

    Args:
        x: Any shape.

    Returns:
        int64 (count, axes).

    Example:
        >>> ops.nonzero(lamina.tensor([[0, 5], [7, 0]])).tolist()
        [[0, 1], [1, 0]]
    """
    return one("nonzero", x)


def reverse_sequence(x: TensorLike, lengths: TensorLike, time_dim: int = 0, batch_dim: int = 1) -> Tensor:
    """Of each sequence the first `lengths[i]` elements in reverse, the rest as it is.

    Args:
        x: Any shape of at least two axes.
        lengths: Integers, one for each sequence.
        time_dim: The axis along which sequences run.
        batch_dim: The axis along which they stand side by side.

    Returns:
        The shape of x.

    Raises:
        IndexError: A length is more than the axis has (when evaluated).
        ShapeError: Another number of lengths, or one axis for both.

    Example:
        >>> x = lamina.tensor([[1, 2, 3], [4, 5, 6]])
        >>> ops.reverse_sequence(x, lamina.tensor([2, 3]), 1, 0).tolist()
        [[2, 1, 3], [6, 5, 4]]
    """
    return one("reverse_sequence", x, lengths, time_dim=time_dim, batch_dim=batch_dim)
