"""Batch normalisation over one, two and three axes."""

from __future__ import annotations

from lamina import ops
from lamina._lamina import DType, ShapeError, Tensor
from lamina.nn.running import ChannelNorm


class _BatchNorm(ChannelNorm):
    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        dtype: DType | None = None,
        device: str | None = None,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, dtype, device)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, num_features, *), the same out."""
        self._check(x)
        y = self._frozen(x)
        if y is not None:
            return y
        count = x.size // max(x.shape[1], 1)
        if count < 2 and self.training:
            raise ShapeError(
                f"{type(self).__name__}: training needs at least two values per channel, got {count} "
                f"from shape {x.shape}; use eval() to normalise with the running statistics"
            )
        y, mean, var = ops.batch_norm(x, *self._affine(x), training=True, eps=self.eps)
        if self.training:
            self._track(mean.detach(), var.detach() * (count / (count - 1)))
        return y


class BatchNorm1d(_BatchNorm):
    """See `BatchNorm2d`; of (batch, num_features) or (batch, num_features, length).

    Example:
        >>> nn.BatchNorm1d(2).eval()(ops.zeros((1, 2))).shape
        (1, 2)
    """

    _ranks = (2, 3)


class BatchNorm2d(_BatchNorm):
    """Per channel, (x - mean) / sqrt(var + eps) * weight + bias.

    In training, mean and biased variance are the batch's, and the running ones
    move towards the batch's mean and unbiased variance; in evaluation the
    running ones are used.

    Args:
        num_features: Channels.
        eps: Added to the variance.
        momentum: Weight of the batch's value in the running one; None for the plain average so far.
        affine: Whether weight and bias are there.
        track_running_stats: Whether running statistics are; without them evaluation uses the batch's.
        dtype: float32 if None.
        device: The default device if None.

    Attributes:
        weight: (num_features,), first 1; or None.
        bias: (num_features,), first 0; or None.
        running_mean: (num_features,), first 0; or None.
        running_var: (num_features,), first 1; or None.
        num_batches_tracked: int64, how many batches moved them; or None.

    Raises:
        ShapeError: x is not (batch, num_features, height, width); in training, a channel has fewer
            than two values.

    Example:
        >>> nn.BatchNorm2d(2).eval()(ops.zeros((1, 2, 3, 3))).shape
        (1, 2, 3, 3)
    """

    _ranks = (4,)


class BatchNorm3d(_BatchNorm):
    """See `BatchNorm2d`; of (batch, num_features, depth, height, width).

    Example:
        >>> nn.BatchNorm3d(2).eval()(ops.zeros((1, 2, 3, 3, 3))).shape
        (1, 2, 3, 3, 3)
    """

    _ranks = (5,)
