"""Losses as modules; each is the op of `lamina.ops` that its documentation names."""

from __future__ import annotations

from typing import Literal

from lamina import ops
from lamina._lamina import Tensor
from lamina.nn.formed import Formed
from lamina.nn.module import Buffer
from lamina.ops.loss import Reduction


def _kept(weight: Tensor | None) -> Buffer | None:
    """Moves with the module and is saved with it."""
    return None if weight is None else Buffer(weight)


class CrossEntropyLoss(Formed):
    """-ln softmax(logits)[target]; see `lamina.ops.cross_entropy`.

    Args:
        weight: (classes,), what each class's loss is multiplied by; 1 if None.
        ignore_index: Targets of this class count nowhere.
        reduction: `mean`, `sum` or `none`.
        label_smoothing: The share of a target that goes to all classes alike.

    Example:
        >>> round(nn.CrossEntropyLoss()(lamina.tensor([[5.0, 5.0]]), lamina.tensor([0])).item(), 4)
        0.6931
    """

    _op = staticmethod(ops.cross_entropy)

    def __init__(
        self,
        weight: Tensor | None = None,
        ignore_index: int = -100,
        reduction: Reduction = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        self.weight = _kept(weight)
        self.ignore_index = ignore_index
        self.reduction: Reduction = reduction
        self.label_smoothing = label_smoothing


class NLLLoss(Formed):
    """-log_p[target]; see `lamina.ops.nll_loss`.

    Args:
        weight: (classes,), what each class's loss is multiplied by; 1 if None.
        ignore_index: Targets of this class count nowhere.
        reduction: `mean`, `sum` or `none`.

    Example:
        >>> nn.NLLLoss()(lamina.tensor([[-1.0, -2.0]]), lamina.tensor([1])).item()
        2.0
    """

    _op = staticmethod(ops.nll_loss)

    def __init__(
        self, weight: Tensor | None = None, ignore_index: int = -100, reduction: Reduction = "mean"
    ) -> None:
        self.weight = _kept(weight)
        self.ignore_index = ignore_index
        self.reduction: Reduction = reduction


class MSELoss(Formed):
    """(x - target)^2; see `lamina.ops.mse_loss`.

    Args:
        reduction: `mean`, `sum` or `none`.

    Example:
        >>> nn.MSELoss()(lamina.tensor([1.0, 2.0]), lamina.tensor([1.0, 4.0])).item()
        2.0
    """

    _op = staticmethod(ops.mse_loss)

    def __init__(self, reduction: Reduction = "mean") -> None:
        self.reduction: Reduction = reduction


class L1Loss(Formed):
    """|x - target|; see `lamina.ops.l1_loss`.

    Args:
        reduction: `mean`, `sum` or `none`.

    Example:
        >>> nn.L1Loss()(lamina.tensor([1.0, 2.0]), lamina.tensor([1.0, 4.0])).item()
        1.0
    """

    _op = staticmethod(ops.l1_loss)

    def __init__(self, reduction: Reduction = "mean") -> None:
        self.reduction: Reduction = reduction


class SmoothL1Loss(Formed):
    """A square up to beta, then a line; see `lamina.ops.smooth_l1_loss`.

    Args:
        reduction: `mean`, `sum` or `none`.
        beta: Where the square becomes a line; 0 for `L1Loss`.

    Example:
        >>> nn.SmoothL1Loss()(lamina.tensor([0.0]), lamina.tensor([2.0])).item()
        1.5
    """

    _op = staticmethod(ops.smooth_l1_loss)

    def __init__(self, reduction: Reduction = "mean", beta: float = 1.0) -> None:
        self.reduction: Reduction = reduction
        self.beta = beta


class HuberLoss(Formed):
    """A square up to delta, then a line; see `lamina.ops.huber_loss`.

    Args:
        reduction: `mean`, `sum` or `none`.
        delta: Where the square becomes a line, above 0.

    Example:
        >>> nn.HuberLoss()(lamina.tensor([0.0]), lamina.tensor([2.0])).item()
        1.5
    """

    _op = staticmethod(ops.huber_loss)

    def __init__(self, reduction: Reduction = "mean", delta: float = 1.0) -> None:
        self.reduction: Reduction = reduction
        self.delta = delta


class BCELoss(Formed):
    """-(target ln x + (1 - target) ln(1 - x)); see `lamina.ops.binary_cross_entropy`.

    Args:
        weight: What each loss is multiplied by; broadcasts to x.
        reduction: `mean`, `sum` or `none`.

    Example:
        >>> nn.BCELoss()(lamina.tensor([1.0, 0.0]), lamina.tensor([1.0, 1.0])).item()
        50.0
    """

    _op = staticmethod(ops.binary_cross_entropy)

    def __init__(self, weight: Tensor | None = None, reduction: Reduction = "mean") -> None:
        self.weight = _kept(weight)
        self.reduction: Reduction = reduction


class BCEWithLogitsLoss(Formed):
    """`BCELoss` of sigmoid(x), exact for any x; see `lamina.ops.binary_cross_entropy_with_logits`.

    Args:
        weight: What each loss is multiplied by; broadcasts to x.
        reduction: `mean`, `sum` or `none`.
        pos_weight: What the target's share is multiplied by; broadcasts to x.

    Example:
        >>> nn.BCEWithLogitsLoss()(lamina.tensor([-200.0]), lamina.tensor([1.0])).item()
        200.0
    """

    _op = staticmethod(ops.binary_cross_entropy_with_logits)

    def __init__(
        self, weight: Tensor | None = None, reduction: Reduction = "mean", pos_weight: Tensor | None = None
    ) -> None:
        self.weight = _kept(weight)
        self.reduction: Reduction = reduction
        self.pos_weight = _kept(pos_weight)


class KLDivLoss(Formed):
    """Target (ln target - x), x being logarithms; see `lamina.ops.kl_div`.

    Args:
        reduction: `mean`, `batchmean`, `sum` or `none`.
        log_target: Whether the target holds logarithms.

    Example:
        >>> nn.KLDivLoss("sum")(lamina.tensor([-1.0, -2.0]), lamina.tensor([1.0, 0.0])).item()
        1.0
    """

    _op = staticmethod(ops.kl_div)

    def __init__(
        self, reduction: Literal["mean", "batchmean", "sum", "none"] = "mean", log_target: bool = False
    ) -> None:
        self.reduction: Literal["mean", "batchmean", "sum", "none"] = reduction
        self.log_target = log_target


class HingeEmbeddingLoss(Formed):
    """X where the target is 1, max(0, margin - x) where it is -1; see `lamina.ops.hinge_embedding_loss`.

    Args:
        margin: How far apart is far enough.
        reduction: `mean`, `sum` or `none`.

    Example:
        >>> nn.HingeEmbeddingLoss()(lamina.tensor([3.0, 0.0]), lamina.tensor([1.0, -1.0])).item()
        2.0
    """

    _op = staticmethod(ops.hinge_embedding_loss)

    def __init__(self, margin: float = 1.0, reduction: Reduction = "mean") -> None:
        self.margin = margin
        self.reduction: Reduction = reduction


class SoftMarginLoss(Formed):
    """ln(1 + e^(-target x)); see `lamina.ops.soft_margin_loss`.

    Args:
        reduction: `mean`, `sum` or `none`.

    Example:
        >>> nn.SoftMarginLoss()(lamina.tensor([-200.0]), lamina.tensor([1.0])).item()
        200.0
    """

    _op = staticmethod(ops.soft_margin_loss)

    def __init__(self, reduction: Reduction = "mean") -> None:
        self.reduction: Reduction = reduction


class PoissonNLLLoss(Formed):
    """e^x - target x and its kin; see `lamina.ops.poisson_nll_loss`.

    Args:
        log_input: Whether x is the logarithm of the mean.
        full: Whether the constant is added.
        eps: Against ln 0.
        reduction: `mean`, `sum` or `none`.

    Example:
        >>> nn.PoissonNLLLoss()(lamina.tensor([0.0]), lamina.tensor([3.0])).item()
        1.0
    """

    _op = staticmethod(ops.poisson_nll_loss)

    def __init__(
        self, log_input: bool = True, full: bool = False, eps: float = 1e-8, reduction: Reduction = "mean"
    ) -> None:
        self.log_input = log_input
        self.full = full
        self.eps = eps
        self.reduction: Reduction = reduction


class GaussianNLLLoss(Formed):
    """(ln var + (x - target)^2 / var) / 2; see `lamina.ops.gaussian_nll_loss`.

    Args:
        full: Whether the constant is added.
        eps: The least variance.
        reduction: `mean`, `sum` or `none`.

    Example:
        >>> x, target, var = (lamina.tensor([v]) for v in (1.0, 3.0, 1.0))
        >>> nn.GaussianNLLLoss()(x, target, var).item()
        2.0
    """

    _op = staticmethod(ops.gaussian_nll_loss)

    def __init__(self, full: bool = False, eps: float = 1e-6, reduction: Reduction = "mean") -> None:
        self.full = full
        self.eps = eps
        self.reduction: Reduction = reduction


class MarginRankingLoss(Formed):
    """max(0, margin - target (a - b)); see `lamina.ops.margin_ranking_loss`.

    Args:
        margin: How far ahead is far enough.
        reduction: `mean`, `sum` or `none`.

    Example:
        >>> a, b, target = (lamina.tensor([v]) for v in (1.0, 3.0, 1.0))
        >>> nn.MarginRankingLoss()(a, b, target).item()
        2.0
    """

    _op = staticmethod(ops.margin_ranking_loss)

    def __init__(self, margin: float = 0.0, reduction: Reduction = "mean") -> None:
        self.margin = margin
        self.reduction: Reduction = reduction


class CosineEmbeddingLoss(Formed):
    """1 - cos(a, b), or max(0, cos(a, b) - margin); see `lamina.ops.cosine_embedding_loss`.

    Args:
        margin: The cosine that is small enough.
        reduction: `mean`, `sum` or `none`.

    Example:
        >>> a, b = lamina.tensor([[1.0, 0.0]]), lamina.tensor([[0.0, 2.0]])
        >>> nn.CosineEmbeddingLoss()(a, b, lamina.tensor([1.0])).item()
        1.0
    """

    _op = staticmethod(ops.cosine_embedding_loss)

    def __init__(self, margin: float = 0.0, reduction: Reduction = "mean") -> None:
        self.margin = margin
        self.reduction: Reduction = reduction


class TripletMarginLoss(Formed):
    """max(0, d(anchor, positive) - d(anchor, negative) + margin); see `lamina.ops.triplet_margin_loss`.

    Args:
        margin: How much farther is far enough.
        p: Of the norm.
        eps: Added to each difference.
        swap: Take d(positive, negative) where that is less.
        reduction: `mean`, `sum` or `none`.

    Example:
        >>> a, b = lamina.tensor([[0.0, 0.0]]), lamina.tensor([[3.0, 4.0]])
        >>> nn.TripletMarginLoss(6.0, eps=0.0)(a, a, b).item()
        1.0
    """

    _op = staticmethod(ops.triplet_margin_loss)

    def __init__(
        self,
        margin: float = 1.0,
        p: float = 2.0,
        eps: float = 1e-6,
        swap: bool = False,
        reduction: Reduction = "mean",
    ) -> None:
        self.margin = margin
        self.p = p
        self.eps = eps
        self.swap = swap
        self.reduction: Reduction = reduction
