"""Ops that move elements and compute nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from lamina._lamina import Tensor
from lamina.ops._record import Dims, TensorLike, many, one


def reshape(x: TensorLike, shape: Sequence[int]) -> Tensor:
    """The same elements, in the same order, under another shape.

    Args:
        x: Any shape.
        shape: The new shape; one length may be -1, which is worked out.

    Returns:
        A tensor of that shape.

    Raises:
        ShapeError: The numbers of elements differ.

    Example:
        >>> ops.reshape(lamina.tensor([1, 2, 3, 4]), (2, -1)).tolist()
        [[1, 2], [3, 4]]
    """
    return one("reshape", x, shape=list(shape))


def flatten(x: TensorLike, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """Axes start_dim to end_dim, both included, as one.

    Args:
        x: Any shape.
        start_dim: First axis to merge.
        end_dim: Last axis to merge.

    Returns:
        A tensor of fewer axes.

    Example:
        >>> ops.flatten(lamina.tensor([[[1, 2]], [[3, 4]]]), 1).tolist()
        [[1, 2], [3, 4]]
    """
    return one("flatten", x, start_dim=start_dim, end_dim=end_dim)


def squeeze(x: TensorLike, dim: Dims = None) -> Tensor:
    """Without axes of length 1.

    Args:
        x: Any shape.
        dim: Which axes; None for all of length 1.

    Returns:
        A tensor of fewer axes.

    Raises:
        ShapeError: A named axis is longer than 1.

    Example:
        >>> ops.squeeze(lamina.tensor([[1, 2]])).tolist()
        [1, 2]
    """
    dims = None if dim is None else list(dim) if isinstance(dim, Sequence) else [dim]
    return one("squeeze", x, dim=dims)


def unsqueeze(x: TensorLike, dim: int | Sequence[int]) -> Tensor:
    """With axes of length 1 put in.

    Args:
        x: Any shape.
        dim: Where the new axes stand in the result.

    Returns:
        A tensor of more axes.

    Example:
        >>> ops.unsqueeze(lamina.tensor([1, 2]), 1).shape
        (2, 1)
    """
    return one("unsqueeze", x, dim=list(dim) if isinstance(dim, Sequence) else [dim])


def expand(x: TensorLike, shape: Sequence[int]) -> Tensor:
    """Axes of length 1 repeated, new axes in front; takes no memory.

    Args:
        x: A shape that broadcasts to `shape`.
        shape: The new shape; -1 keeps an axis.

    Returns:
        A tensor of that shape.

    Example:
        >>> ops.expand(lamina.tensor([[1], [2]]), (2, 3)).tolist()
        [[1, 1, 1], [2, 2, 2]]
    """
    return one("expand", x, shape=list(shape))


def permute(x: TensorLike, dims: Sequence[int]) -> Tensor:
    """Axes in another order; takes no memory.

    Args:
        x: Any shape.
        dims: For each axis of the result, the axis of x that becomes it.

    Returns:
        A tensor of shape `[x.shape[d] for d in dims]`.

    Example:
        >>> ops.permute(lamina.tensor([[1, 2], [3, 4]]), (1, 0)).tolist()
        [[1, 3], [2, 4]]
    """
    return one("permute", x, dims=list(dims))


def transpose(x: TensorLike, dim0: int, dim1: int) -> Tensor:
    """Two axes exchanged; takes no memory.

    Args:
        x: Any shape.
        dim0: One axis.
        dim1: The other.

    Returns:
        A tensor with both axes exchanged.

    Raises:
        IndexError: An axis is out of range.

    Example:
        >>> ops.transpose(lamina.tensor([[1, 2], [3, 4]]), 0, 1).tolist()
        [[1, 3], [2, 4]]
    """
    return x.transpose(dim0, dim1) if isinstance(x, Tensor) else x.tensor.transpose(dim0, dim1)


def concat(tensors: Sequence[TensorLike], dim: int = 0) -> Tensor:
    """Tensors one after the other along an axis.

    Args:
        tensors: Equal shapes but for that axis.
        dim: The axis.

    Returns:
        A tensor whose axis `dim` is as long as theirs together.

    Raises:
        ShapeError: Another axis differs.

    Example:
        >>> ops.concat([lamina.tensor([1]), lamina.tensor([2, 3])]).tolist()
        [1, 2, 3]
    """
    return one("concat", *tensors, dim=dim)


def stack(tensors: Sequence[TensorLike], dim: int = 0) -> Tensor:
    """Tensors of one shape along a new axis.

    Args:
        tensors: Equal shapes.
        dim: Where the new axis stands in the result.

    Returns:
        A tensor of one axis more.

    Example:
        >>> ops.stack([lamina.tensor([1, 2]), lamina.tensor([3, 4])], 1).tolist()
        [[1, 3], [2, 4]]
    """
    return one("stack", *tensors, dim=dim)


def split(x: TensorLike, sizes: int | Sequence[int], dim: int = 0) -> tuple[Tensor, ...]:
    """Pieces along an axis.

    Args:
        x: Any shape.
        sizes: The length of each piece but the last, which may be shorter; or all lengths.
        dim: The axis.

    Returns:
        The pieces, in order.

    Raises:
        ShapeError: The lengths do not add up to the axis.

    Example:
        >>> [p.tolist() for p in ops.split(lamina.tensor([1, 2, 3]), 2)]
        [[1, 2], [3]]
    """
    if isinstance(sizes, int):
        length = x.shape[dim]
        step = sizes if sizes > 0 else length
        sizes = [min(step, length - at) for at in range(0, length, max(step, 1))] or [0]
    out = many("split", [x], {"sizes": list(sizes), "dim": dim})
    return out if isinstance(out, tuple) else (out,)


def pad(
    x: TensorLike,
    pads: Sequence[tuple[int, int]],
    mode: Literal["constant", "reflect", "edge"] = "constant",
    value: float = 0.0,
) -> Tensor:
    """Elements put before and after each axis.

    Args:
        x: Any shape.
        pads: For each axis, how many before and after.
        mode: `constant` fills with `value`; `reflect` mirrors without repeating the border;
            `edge` repeats it.
        value: What `constant` fills with.

    Returns:
        A larger tensor.

    Example:
        >>> ops.pad(lamina.tensor([1, 2]), [(1, 2)]).tolist()
        [0, 1, 2, 0, 0]
    """
    flat = [before for before, _ in pads] + [after for _, after in pads]
    return one("pad", x, pads=flat, mode=mode, value=value)


def slice(
    x: TensorLike,
    starts: Sequence[int],
    ends: Sequence[int],
    axes: Sequence[int] | None = None,
    steps: Sequence[int] | None = None,
) -> Tensor:
    """`x[start:end:step]` along some axes; takes no memory.

    Args:
        x: Any shape.
        starts: First index on each axis, from either end.
        ends: Index at which to stop, itself left out.
        axes: Which axes; None for the first `len(starts)`.
        steps: Distance between elements, negative to run backwards; None for 1.

    Returns:
        A smaller tensor.

    Example:
        >>> ops.slice(lamina.tensor([1, 2, 3, 4, 5]), [0], [5], steps=[2]).tolist()
        [1, 3, 5]
    """
    axes = list(range(len(starts))) if axes is None else list(axes)
    steps = [1] * len(starts) if steps is None else list(steps)
    return one("slice", x, starts=list(starts), ends=list(ends), axes=axes, steps=steps)


def tile(x: TensorLike, repeats: Sequence[int]) -> Tensor:
    """The whole of x again and again along each axis.

    Args:
        x: Any shape.
        repeats: How often along each axis, 0 or more; more of them than axes bring new ones
            in front.

    Returns:
        x's shape times repeats.

    Raises:
        ArgumentError: A number is negative.

    Example:
        >>> ops.tile(lamina.tensor([1, 2]), [2, 2]).tolist()
        [[1, 2, 1, 2], [1, 2, 1, 2]]
    """
    return one("tile", x, repeats=list(repeats))


def flip(x: TensorLike, dims: Sequence[int] | None = None) -> Tensor:
    """The elements of axes in reverse.

    Args:
        x: Any shape.
        dims: Which axes; None for all.

    Returns:
        The shape of x.

    Raises:
        IndexError: There is no such axis.

    Example:
        >>> ops.flip(lamina.tensor([[1, 2], [3, 4]]), [1]).tolist()
        [[2, 1], [4, 3]]
    """
    return one("flip", x, dims=None if dims is None else list(dims))


def tril(x: TensorLike, diagonal: int = 0) -> Tensor:
    """The lower triangle of the last two axes, 0 above it.

    Args:
        x: (*, rows, columns).
        diagonal: The last diagonal that is kept: 0 the main one, above it positive.

    Returns:
        The shape of x.

    Raises:
        ShapeError: x has fewer than two axes.

    Example:
        >>> ops.tril(lamina.tensor([[1, 2], [3, 4]])).tolist()
        [[1, 0], [3, 4]]
    """
    return one("tril", x, diagonal=diagonal)


def triu(x: TensorLike, diagonal: int = 0) -> Tensor:
    """The upper triangle of the last two axes, 0 below it.

    Args:
        x: (*, rows, columns).
        diagonal: The first diagonal that is kept: 0 the main one, above it positive.

    Returns:
        The shape of x.

    Raises:
        ShapeError: x has fewer than two axes.

    Example:
        >>> ops.triu(lamina.tensor([[1, 2], [3, 4]])).tolist()
        [[1, 2], [0, 4]]
    """
    return one("triu", x, diagonal=diagonal)


def unflatten(x: TensorLike, dim: int, sizes: Sequence[int]) -> Tensor:
    """One axis as several.

    Args:
        x: Any shape.
        dim: The axis.
        sizes: Lengths of the new axes; one of them may be -1.

    Returns:
        x's shape with `sizes` in place of axis `dim`.

    Raises:
        ShapeError: The sizes do not make up the axis.

    Example:
        >>> ops.unflatten(ops.zeros((2, 6)), 1, (3, -1)).shape
        (2, 3, 2)
    """
    return one("unflatten", x, dim=dim, sizes=list(sizes))


def select(x: TensorLike, dim: int, index: int) -> Tensor:
    """One element of an axis, which goes; `x[index]` for dim = 0.

    Args:
        x: Any shape.
        dim: The axis.
        index: From either end.

    Returns:
        x's shape without axis `dim`.

    Raises:
        IndexError: The index is out of range.

    Example:
        >>> ops.select(lamina.tensor([[1, 2], [3, 4]]), 1, -1).tolist()
        [2, 4]
    """
    return one("select", x, dim=dim, index=index)
