"""Tensors made from nothing."""

from __future__ import annotations

from collections.abc import Sequence

from lamina._lamina import DType, ShapeError, Tensor, dtypes
from lamina.ops._record import TensorLike, one

_FLOAT32 = dtypes()["float32"]


def full(
    shape: Sequence[int], value: float | int | bool, dtype: DType | None = None, device: str | None = None
) -> Tensor:
    """One value everywhere.

    Args:
        shape: The shape.
        value: The value, an input of the plan: another value compiles nothing anew.
        dtype: float32 if None.
        device: The default device if None.

    Returns:
        A tensor of that shape.

    Example:
        >>> ops.full((2,), 7.0).tolist()
        [7.0, 7.0]
    """
    return one("full", value, shape=list(shape), dtype=dtype or _FLOAT32, device=device)


def zeros(shape: Sequence[int], dtype: DType | None = None, device: str | None = None) -> Tensor:
    """0 everywhere; see `full`.

    Example:
        >>> ops.zeros((2,)).tolist()
        [0.0, 0.0]
    """
    return full(shape, 0, dtype, device)


def ones(shape: Sequence[int], dtype: DType | None = None, device: str | None = None) -> Tensor:
    """1 everywhere; see `full`.

    Example:
        >>> ops.ones((2,)).tolist()
        [1.0, 1.0]
    """
    return full(shape, 1, dtype, device)


def arange(
    start: float | int,
    end: float | int | None = None,
    step: float | int = 1,
    dtype: DType | None = None,
    device: str | None = None,
) -> Tensor:
    """start, start + step, start + 2 step, ... before end.

    Args:
        start: First value; the end, if `end` is None (then the first is 0).
        end: Where to stop, itself left out.
        step: Distance, not 0.
        dtype: int64 if all are whole numbers, else float32, if None.
        device: The default device if None.

    Returns:
        A 1-d tensor of ceil((end - start) / step) elements.

    Example:
        >>> ops.arange(1, 7, 2).tolist()
        [1, 3, 5]
    """
    first, last = (0, start) if end is None else (start, end)
    if dtype is None:
        whole = all(isinstance(v, int) for v in (first, last, step))
        dtype = dtypes()["int64"] if whole else _FLOAT32
    return one("arange", start=first, end=last, step=step, dtype=dtype, device=device)


def eye(
    rows: int,
    columns: int | None = None,
    diagonal: int = 0,
    dtype: DType | None = None,
    device: str | None = None,
) -> Tensor:
    """1 on a diagonal, 0 elsewhere.

    Args:
        rows: How many rows.
        columns: As many as rows if None.
        diagonal: Where column - row is this number; 0 is the main one.
        dtype: float32 if None.
        device: The default device if None.

    Returns:
        (rows, columns).

    Example:
        >>> ops.eye(2, 3, 1).tolist()
        [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    place = {"dtype": dtype or _FLOAT32, "device": device}
    return one("eye", rows=rows, columns=columns, diagonal=diagonal, **place)


def eye_like(x: TensorLike, diagonal: int = 0, dtype: DType | None = None) -> Tensor:
    """`eye` of the shape, device and, if None is given, dtype of a matrix.

    Args:
        x: (rows, columns).
        diagonal: Where column - row is this number; 0 is the main one.
        dtype: x's if None.

    Returns:
        (rows, columns).

    Raises:
        ShapeError: x is no matrix.

    Example:
        >>> ops.eye_like(lamina.tensor([[5, 6], [7, 8]])).tolist()
        [[1, 0], [0, 1]]
    """
    if x.ndim != 2:
        raise ShapeError(f"eye_like: x has shape {x.shape}, wanted (rows, columns)")
    rows, columns = x.shape
    return eye(rows, columns, diagonal, dtype or x.dtype, x.device)


def uniform(
    shape: Sequence[int],
    low: float = 0.0,
    high: float = 1.0,
    dtype: DType | None = None,
    device: str | None = None,
) -> Tensor:
    """Random values, every one in [low, high) equally likely.

    Counter-based (Philox 4x32-10; Salmon et al. 2011) from the seed of
    `lamina.manual_seed`: the same bits on every device.

    Args:
        shape: The shape.
        low: Smallest value.
        high: Bound above, itself left out.
        dtype: float32 if None.
        device: The default device if None.

    Returns:
        A tensor of that shape.

    Example:
        >>> lamina.manual_seed(0)
        >>> ops.uniform((3,)).shape
        (3,)
    """
    return one("uniform", shape=list(shape), low=low, high=high, dtype=dtype or _FLOAT32, device=device)


def normal(
    shape: Sequence[int],
    mean: float = 0.0,
    std: float = 1.0,
    dtype: DType | None = None,
    device: str | None = None,
) -> Tensor:
    """Random values of the normal distribution (Box and Muller 1958, over `uniform`'s bits).

    Args:
        shape: The shape.
        mean: Their mean.
        std: Their standard deviation.
        dtype: float32 if None.
        device: The default device if None.

    Returns:
        A tensor of that shape; devices agree within 1e-6 of std.

    Example:
        >>> lamina.manual_seed(0)
        >>> ops.normal((3,)).shape
        (3,)
    """
    return one("normal", shape=list(shape), mean=mean, std=std, dtype=dtype or _FLOAT32, device=device)
