"""Batch normalisation of images."""

from __future__ import annotations

from lamina._lamina import DType, ShapeError, Tensor, dtypes
from lamina.nn.module import Buffer, Module, Parameter
from lamina.ops import batch_norm, ones, zeros


class BatchNorm2d(Module):
    """Per channel, (x - mean) / sqrt(var + eps) * weight + bias.

    In training, mean and biased variance are the batch's, and the running ones
    move towards the batch's mean and unbiased variance; in evaluation the
    running ones are used.

    Args:
        num_features: Channels.
        eps: Added to the variance.
        momentum: Weight of the batch's value in the running one; None for the plain average so far.
        dtype: float32 if None.
        device: The default device if None.

    Attributes:
        weight: (num_features,), first 1.
        bias: (num_features,), first 0.
        running_mean: (num_features,), first 0.
        running_var: (num_features,), first 1.
        num_batches_tracked: int64, how many batches moved them.

    Raises:
        ShapeError: In training, a channel has fewer than two values.

    Example:
        >>> nn.BatchNorm2d(2).eval()(ops.zeros((1, 2, 3, 3))).shape
        (1, 2, 3, 3)
    """

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        dtype: DType | None = None,
        device: str | None = None,
    ) -> None:
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.weight = Parameter(ones((num_features,), dtype, device))
        self.bias = Parameter(zeros((num_features,), dtype, device))
        self.running_mean = Buffer(zeros((num_features,), dtype, device))
        self.running_var = Buffer(ones((num_features,), dtype, device))
        self.num_batches_tracked = Buffer(zeros((), dtypes()["int64"], device))

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, height, width), the same out."""
        if not self.training:
            return batch_norm(x, self.weight, self.bias, self.running_mean, self.running_var, eps=self.eps)
        count = x.size // max(x.shape[1], 1) if x.ndim > 1 else x.size
        if count < 2:
            raise ShapeError(
                f"BatchNorm2d: training needs at least two values per channel, got {count} "
                f"from shape {x.shape}; use eval() to normalise with the running statistics"
            )
        y, mean, var = batch_norm(x, self.weight, self.bias, training=True, eps=self.eps)
        self._track(mean.detach(), var.detach(), count)
        return y

    def _track(self, mean: Tensor, var: Tensor, count: int) -> None:
        tracked = self.num_batches_tracked.tensor + 1
        self.num_batches_tracked.update(tracked)
        new = self.momentum if self.momentum is not None else 1.0 / tracked.astype(mean.dtype)
        unbiased = var * (count / (count - 1))
        for cell, value in ((self.running_mean, mean), (self.running_var, unbiased)):
            cell.update(cell.tensor * (1.0 - new) + value * new)

    def extra_repr(self) -> str:
        """Sizes."""
        return f"{self.num_features}, eps={self.eps}, momentum={self.momentum}"
