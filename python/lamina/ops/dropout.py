"""Dropout: values left out at random."""

from __future__ import annotations

from lamina._lamina import Tensor
from lamina.ops._record import TensorLike, one


def dropout(x: TensorLike, p: float = 0.5) -> Tensor:
    """0 with probability p, else x / (1 - p) (Srivastava et al. 2014).

    Args:
        x: Any shape.
        p: Probability, 0 <= p < 1.

    Returns:
        The shape of x.

    Example:
        >>> ops.dropout(lamina.tensor([2.0]), 0.0).tolist()
        [2.0]
    """
    return one("dropout", x, p=p)


def feature_dropout(x: TensorLike, p: float = 0.5) -> Tensor:
    """Whole channels 0 with probability p, the others divided by 1 - p (Tompson et al. 2015).

    Args:
        x: (batch, channels, *).
        p: Probability, 0 <= p <= 1.

    Returns:
        The shape of x.

    Raises:
        ShapeError: x has no channels.

    Example:
        >>> ops.feature_dropout(lamina.tensor([[2.0]]), 0.0).tolist()
        [[2.0]]
    """
    return one("feature_dropout", x, p=p)


def alpha_dropout(x: TensorLike, p: float = 0.5) -> Tensor:
    """Dropout that keeps mean 0 and variance 1 (Klambauer et al. 2017).

    With probability p an element becomes what `selu` tends to, c = -1.7581; then all are
    multiplied by a = ((1 - p) (1 + p c^2))^(-1/2), and -a p c is added.

    Args:
        x: Any shape, floats.
        p: Probability, 0 <= p <= 1.

    Returns:
        The shape of x.

    Example:
        >>> ops.alpha_dropout(lamina.tensor([2.0]), 0.0).tolist()
        [2.0]
    """
    return one("alpha_dropout", x, p=p)
