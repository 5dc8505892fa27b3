"""First values of parameters, by PyTorch's defaults."""

from __future__ import annotations

import math
from collections.abc import Sequence

from lamina._lamina import DType, Tensor
from lamina.ops import uniform


def kaiming_uniform(
    shape: Sequence[int], fan_in: int, dtype: DType | None = None, device: str | None = None
) -> Tensor:
    """U(-b, b) with b = 1 / sqrt(fan_in).

    He et al. (2015) have b = gain * sqrt(3 / fan_in); with the gain of a leaky
    ReLU of slope sqrt(5), sqrt(2 / (1 + 5)), that is 1 / sqrt(fan_in).

    Args:
        shape: The parameter's shape.
        fan_in: How many inputs reach one output.
        dtype: float32 if None.
        device: The default device if None.

    Returns:
        A tensor of that shape.
    """
    bound = 1.0 / math.sqrt(fan_in) if fan_in > 0 else 0.0
    return uniform(shape, -bound, bound, dtype=dtype, device=device)
