"""Instance normalisation over one, two and three axes."""

from __future__ import annotations

from lamina import ops
from lamina._lamina import DType, ShapeError, Tensor
from lamina.nn.running import ChannelNorm


class _InstanceNorm(ChannelNorm):
    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
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
        axes = tuple(range(2, x.ndim))
        count = x.size // max(x.shape[0] * x.shape[1], 1)
        if count < 2 and self.training:
            raise ShapeError(
                f"{type(self).__name__}: training needs at least two values per channel of a sample, "
                f"got {count} from shape {x.shape}"
            )
        if self.training and self.track_running_stats:
            own = x.detach()
            self._track(ops.mean(ops.mean(own, axes), 0), ops.mean(ops.var(own, axes), 0))
        return ops.instance_norm(x, self.weight, self.bias, self.eps)


class InstanceNorm1d(_InstanceNorm):
    """See `InstanceNorm2d`; of (batch, num_features, length).

    Example:
        >>> nn.InstanceNorm1d(2)(ops.zeros((1, 2, 3))).shape
        (1, 2, 3)
    """

    _ranks = (3,)


class InstanceNorm2d(_InstanceNorm):
    """Per channel of each sample, (x - mean) / sqrt(var + eps) * weight + bias.

    With mean and biased variance of the sample; see `lamina.ops.instance_norm`.

    Args:
        num_features: Channels.
        eps: Added to the variance.
        momentum: Weight of a batch's value in the running one; None for the plain average so far.
        affine: Whether weight and bias are there.
        track_running_stats: Whether running statistics are, which evaluation then uses: the means
            over the batch of the samples' means and unbiased variances.
        dtype: float32 if None.
        device: The default device if None.

    Attributes:
        weight: (num_features,), first 1; or None.
        bias: (num_features,), first 0; or None.
        running_mean: (num_features,), first 0; or None.
        running_var: (num_features,), first 1; or None.
        num_batches_tracked: int64, how many batches moved them; or None.

    Raises:
        ShapeError: x is not (batch, num_features, height, width); in training, a channel of a sample
            has fewer than two values.

    Example:
        >>> nn.InstanceNorm2d(2)(ops.zeros((1, 2, 3, 3))).shape
        (1, 2, 3, 3)
    """

    _ranks = (4,)


class InstanceNorm3d(_InstanceNorm):
    """See `InstanceNorm2d`; of (batch, num_features, depth, height, width).

    Example:
        >>> nn.InstanceNorm3d(2)(ops.zeros((1, 2, 3, 3, 3))).shape
        (1, 2, 3, 3, 3)
    """

    _ranks = (5,)
