"""Losses as modules."""

from __future__ import annotations

from lamina._lamina import Tensor
from lamina.nn.module import Module
from lamina.ops import cross_entropy, mse_loss
from lamina.ops.loss import Reduction


class CrossEntropyLoss(Module):
    """-log softmax(logits)[target]; see `lamina.ops.cross_entropy`.

    Args:
        reduction: `mean`, `sum` or `none`.

    Example:
        >>> round(nn.CrossEntropyLoss()(lamina.tensor([[5.0, 5.0]]), lamina.tensor([0])).item(), 4)
        0.6931
    """

    def __init__(self, reduction: Reduction = "mean") -> None:
        self.reduction: Reduction = reduction

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """(batch, classes, *) and int64 (batch, *)."""
        return cross_entropy(logits, target, self.reduction)


class MSELoss(Module):
    """(x - target)^2; see `lamina.ops.mse_loss`.

    Args:
        reduction: `mean`, `sum` or `none`.

    Example:
        >>> nn.MSELoss()(lamina.tensor([1.0, 2.0]), lamina.tensor([1.0, 4.0])).item()
        2.0
    """

    def __init__(self, reduction: Reduction = "mean") -> None:
        self.reduction: Reduction = reduction

    def forward(self, x: Tensor, target: Tensor) -> Tensor:
        """Two tensors of one shape."""
        return mse_loss(x, target, self.reduction)
