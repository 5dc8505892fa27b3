"""From dtype to dtype."""

from __future__ import annotations

from typing import Literal

from lamina._lamina import DType, Tensor
from lamina.ops._record import TensorLike, one


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
