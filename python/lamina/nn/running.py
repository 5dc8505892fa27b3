"""What batch and instance norms share: scale, bias and running statistics of channels."""

from __future__ import annotations

from typing import ClassVar

from lamina import ops
from lamina._lamina import DType, ShapeError, Tensor, dtypes
from lamina.nn.module import Buffer, Module, Parameter


class ChannelNorm(Module):
    """A layer on (batch, channels, *); a subclass says how many axes it takes."""

    _ranks: ClassVar[tuple[int, ...]]

    def __init__(
        self,
        num_features: int,
        eps: float,
        momentum: float | None,
        affine: bool,
        track_running_stats: bool,
        dtype: DType | None,
        device: str | None,
    ) -> None:
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        self.track_running_stats = track_running_stats
        row = (num_features,)
        self.weight = Parameter(ops.ones(row, dtype, device)) if affine else None
        self.bias = Parameter(ops.zeros(row, dtype, device)) if affine else None
        kept = track_running_stats
        self.running_mean = Buffer(ops.zeros(row, dtype, device)) if kept else None
        self.running_var = Buffer(ops.ones(row, dtype, device)) if kept else None
        self.num_batches_tracked = Buffer(ops.zeros((), dtypes()["int64"], device)) if kept else None

    def _check(self, x: Tensor) -> None:
        if x.ndim not in self._ranks or x.shape[1] != self.num_features:
            axes = " or ".join(str(rank) for rank in self._ranks)
            raise ShapeError(
                f"{type(self).__name__}: x has shape {x.shape}, wanted {axes} axes: "
                f"(batch, {self.num_features}, ...)"
            )

    def _affine(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Scale and bias, 1 and 0 where there are none."""
        if self.weight is None or self.bias is None:
            row = (self.num_features,)
            return ops.ones(row, x.dtype, x.device), ops.zeros(row, x.dtype, x.device)
        return self.weight.tensor, self.bias.tensor

    def _frozen(self, x: Tensor) -> Tensor | None:
        """By the running statistics; None where the data's own are wanted."""
        if self.training or self.running_mean is None or self.running_var is None:
            return None
        return ops.batch_norm(x, *self._affine(x), self.running_mean, self.running_var, eps=self.eps)

    def _track(self, mean: Tensor, var: Tensor) -> None:
        """Move the running statistics towards a batch's mean and unbiased variance."""
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        tracked = self.num_batches_tracked.tensor + 1
        self.num_batches_tracked.update(tracked)
        new = self.momentum if self.momentum is not None else 1.0 / tracked.astype(mean.dtype)
        for cell, value in ((self.running_mean, mean), (self.running_var, var)):
            cell.update(cell.tensor * (1.0 - new) + value * new)

    def extra_repr(self) -> str:
        """Sizes, and what is switched off or on."""
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"track_running_stats={self.track_running_stats}"
        )
