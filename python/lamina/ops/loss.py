"""Losses as ops."""

from __future__ import annotations

from typing import Literal, TypeAlias

from lamina._lamina import Tensor
from lamina.ops._record import Operand, TensorLike, one

Reduction: TypeAlias = Literal["mean", "sum", "none"]


def cross_entropy(
    logits: TensorLike,
    target: TensorLike,
    reduction: Reduction = "mean",
    weight: TensorLike | None = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
) -> Tensor:
    """-ln softmax(logits)[target], in nats.

    With smoothing s over C classes, (1 - s) times that plus s / C times the sum over all classes
    (Szegedy et al. 2016).

    Args:
        logits: (batch, classes, *) or (classes,), not normalised.
        target: Class indices, (batch, *), or probabilities of the logits' shape.
        reduction: `mean` over all targets that count, by their weights; `sum`, or `none`.
        weight: (classes,), what each class's loss is multiplied by; 1 if None.
        ignore_index: Targets of this class count nowhere.
        label_smoothing: The share of a target that goes to all classes alike.

    Returns:
        0-d, or (batch, *) for `none`.

    Raises:
        ShapeError: The shapes do not belong together.
        DTypeError: The target is neither of integers nor of floats.
        ArgumentError: label_smoothing is not within 0 and 1.

    Example:
        >>> round(ops.cross_entropy(lamina.tensor([[5.0, 5.0]]), lamina.tensor([0])).item(), 4)
        0.6931
    """
    inputs = [logits, target] if weight is None else [logits, target, weight]
    more = {"ignore_index": ignore_index, "label_smoothing": label_smoothing}
    return one("cross_entropy", *inputs, reduction=reduction, **more)


def nll_loss(
    log_p: TensorLike,
    target: TensorLike,
    reduction: Reduction = "mean",
    weight: TensorLike | None = None,
    ignore_index: int = -100,
) -> Tensor:
    """-log_p[target]: `cross_entropy` of what is a logarithm of probabilities already.

    Args:
        log_p: (batch, classes, *) or (classes,), as `log_softmax` gives them.
        target: Class indices, (batch, *).
        reduction: `mean` over all targets that count, by their weights; `sum`, or `none`.
        weight: (classes,), what each class's loss is multiplied by; 1 if None.
        ignore_index: Targets of this class count nowhere.

    Returns:
        0-d, or (batch, *) for `none`.

    Raises:
        ShapeError: The shapes do not belong together.
        DTypeError: The target is not of integers.

    Example:
        >>> ops.nll_loss(lamina.tensor([[-1.0, -2.0]]), lamina.tensor([1])).item()
        2.0
    """
    inputs = [log_p, target] if weight is None else [log_p, target, weight]
    return one("nll_loss", *inputs, reduction=reduction, ignore_index=ignore_index)


def mse_loss(x: TensorLike, target: TensorLike, reduction: Reduction = "mean") -> Tensor:
    """(x - target)^2.

    Args:
        x: Any shape, floats.
        target: The same shape.
        reduction: `mean` over all elements, `sum`, or `none`.

    Returns:
        0-d, or the shape of x for `none`.

    Raises:
        ShapeError: The shapes differ.

    Example:
        >>> ops.mse_loss(lamina.tensor([1.0, 2.0]), lamina.tensor([1.0, 4.0])).item()
        2.0
    """
    return one("mse_loss", x, target, reduction=reduction)


def l1_loss(x: TensorLike, target: TensorLike, reduction: Reduction = "mean") -> Tensor:
    """|x - target|.

    Args:
        x: Any shape, floats.
        target: The same shape.
        reduction: `mean` over all elements, `sum`, or `none`.

    Returns:
        0-d, or the shape of x for `none`.

    Raises:
        ShapeError: The shapes differ.

    Example:
        >>> ops.l1_loss(lamina.tensor([1.0, 2.0]), lamina.tensor([1.0, 4.0])).item()
        1.0
    """
    return one("l1_loss", x, target, reduction=reduction)


def smooth_l1_loss(
    x: TensorLike, target: TensorLike, reduction: Reduction = "mean", beta: float = 1.0
) -> Tensor:
    """d^2 / (2 beta) for d = |x - target| up to beta, then d - beta / 2 (Girshick 2015).

    Args:
        x: Any shape, floats.
        target: The same shape.
        reduction: `mean` over all elements, `sum`, or `none`.
        beta: Where the square becomes a line; 0 for `l1_loss`.

    Returns:
        0-d, or the shape of x for `none`.

    Raises:
        ShapeError: The shapes differ.
        ArgumentError: beta is negative.

    Example:
        >>> ops.smooth_l1_loss(lamina.tensor([0.0, 0.0]), lamina.tensor([1.0, 2.0]), "none").tolist()
        [0.5, 1.5]
    """
    return one("smooth_l1_loss", x, target, reduction=reduction, beta=beta)


def huber_loss(
    x: TensorLike, target: TensorLike, reduction: Reduction = "mean", delta: float = 1.0
) -> Tensor:
    """d^2 / 2 for d = |x - target| up to delta, then delta (d - delta / 2) (Huber 1964).

    Args:
        x: Any shape, floats.
        target: The same shape.
        reduction: `mean` over all elements, `sum`, or `none`.
        delta: Where the square becomes a line, above 0.

    Returns:
        0-d, or the shape of x for `none`.

    Raises:
        ShapeError: The shapes differ.
        ArgumentError: delta is not above 0.

    Example:
        >>> ops.huber_loss(lamina.tensor([0.0, 0.0]), lamina.tensor([1.0, 2.0]), "none").tolist()
        [0.5, 1.5]
    """
    return one("huber_loss", x, target, reduction=reduction, delta=delta)


def binary_cross_entropy(
    x: TensorLike,
    target: TensorLike,
    reduction: Reduction = "mean",
    weight: TensorLike | None = None,
) -> Tensor:
    """-(target ln x + (1 - target) ln(1 - x)), with logarithms of -100 at least.

    `binary_cross_entropy_with_logits` is the exact way from scores that are no probabilities yet.

    Args:
        x: Probabilities, any shape.
        target: The same shape.
        reduction: `mean` over all elements, `sum`, or `none`.
        weight: What each loss is multiplied by; broadcasts to x.

    Returns:
        0-d, or the shape of x for `none`.

    Raises:
        ShapeError: The shapes differ.

    Example:
        >>> ops.binary_cross_entropy(lamina.tensor([1.0, 0.0]), lamina.tensor([1.0, 1.0])).item()
        50.0
    """
    inputs = [x, target] if weight is None else [x, target, weight]
    return one("binary_cross_entropy", *inputs, reduction=reduction)


def binary_cross_entropy_with_logits(
    x: TensorLike,
    target: TensorLike,
    reduction: Reduction = "mean",
    weight: TensorLike | None = None,
    pos_weight: TensorLike | None = None,
) -> Tensor:
    """`binary_cross_entropy` of sigmoid(x), exact for any x.

    (1 - target) x + (1 + (pos_weight - 1) target) ln(1 + e^-x).

    Args:
        x: Scores, any shape, floats.
        target: The same shape.
        reduction: `mean` over all elements, `sum`, or `none`.
        weight: What each loss is multiplied by; broadcasts to x.
        pos_weight: What the target's share is multiplied by; broadcasts to x.

    Returns:
        0-d, or the shape of x for `none`.

    Raises:
        ShapeError: The shapes differ.

    Example:
        >>> ops.binary_cross_entropy_with_logits(lamina.tensor([-200.0]), lamina.tensor([1.0])).item()
        200.0
    """
    inputs: list[Operand] = [x, target]
    if weight is not None or pos_weight is not None:
        inputs.append(1.0 if weight is None else weight)
    if pos_weight is not None:
        inputs.append(pos_weight)
    return one("binary_cross_entropy_with_logits", *inputs, reduction=reduction)


def kl_div(
    x: TensorLike,
    target: TensorLike,
    reduction: Literal["mean", "batchmean", "sum", "none"] = "mean",
    log_target: bool = False,
) -> Tensor:
    """Target (ln target - x), 0 where the target is 0 (Kullback and Leibler 1951).

    `batchmean` is the divergence as it is defined, averaged over the batch.

    Args:
        x: Logarithms of probabilities, any shape.
        target: Probabilities, or their logarithms; the same shape.
        reduction: `mean` over all elements, `batchmean` (the sum by the length of axis 0), `sum`, or `none`.
        log_target: Whether the target holds logarithms.

    Returns:
        0-d, or the shape of x for `none`.

    Raises:
        ShapeError: The shapes differ.

    Example:
        >>> ops.kl_div(lamina.tensor([-1.0, -2.0]), lamina.tensor([1.0, 0.0]), "sum").item()
        1.0
    """
    return one("kl_div", x, target, reduction=reduction, log_target=log_target)


def hinge_embedding_loss(
    x: TensorLike, target: TensorLike, reduction: Reduction = "mean", margin: float = 1.0
) -> Tensor:
    """X where the target is 1, max(0, margin - x) where it is -1.

    Args:
        x: Distances, any shape.
        target: 1 or -1, the same shape.
        reduction: `mean` over all elements, `sum`, or `none`.
        margin: How far apart is far enough.

    Returns:
        0-d, or the shape of x for `none`.

    Raises:
        ShapeError: The shapes differ.

    Example:
        >>> ops.hinge_embedding_loss(lamina.tensor([3.0, 0.25]), lamina.tensor([1.0, -1.0]), "none").tolist()
        [3.0, 0.75]
    """
    return one("hinge_embedding_loss", x, target, reduction=reduction, margin=margin)


def soft_margin_loss(x: TensorLike, target: TensorLike, reduction: Reduction = "mean") -> Tensor:
    """ln(1 + e^(-target x)).

    Args:
        x: Scores, any shape.
        target: 1 or -1, the same shape.
        reduction: `mean` over all elements, `sum`, or `none`.

    Returns:
        0-d, or the shape of x for `none`.

    Raises:
        ShapeError: The shapes differ.

    Example:
        >>> ops.soft_margin_loss(lamina.tensor([-200.0]), lamina.tensor([1.0])).item()
        200.0
    """
    return one("soft_margin_loss", x, target, reduction=reduction)


def poisson_nll_loss(
    x: TensorLike,
    target: TensorLike,
    reduction: Reduction = "mean",
    log_input: bool = True,
    full: bool = False,
    eps: float = 1e-8,
) -> Tensor:
    """The negative logarithm of Poisson's probability of the target, e^x being its mean.

    e^x - target x, or x - target ln(x + eps) where x is the mean itself.  `full` adds what is
    constant by Stirling's formula, target ln target - target + ln(2 pi target) / 2, for targets
    above 1.

    Args:
        x: Any shape, floats.
        target: Counts, the same shape.
        reduction: `mean` over all elements, `sum`, or `none`.
        log_input: Whether x is the logarithm of the mean.
        full: Whether the constant is added.
        eps: Against ln 0.

    Returns:
        0-d, or the shape of x for `none`.

    Raises:
        ShapeError: The shapes differ.

    Example:
        >>> ops.poisson_nll_loss(lamina.tensor([0.0]), lamina.tensor([3.0])).item()
        1.0
    """
    more = {"log_input": log_input, "full": full, "eps": eps}
    return one("poisson_nll_loss", x, target, reduction=reduction, **more)


def gaussian_nll_loss(
    x: TensorLike,
    target: TensorLike,
    var: TensorLike,
    reduction: Reduction = "mean",
    full: bool = False,
    eps: float = 1e-6,
) -> Tensor:
    """The negative logarithm of the normal density of the target (Nix and Weigend 1994).

    (ln v + (x - target)^2 / v) / 2 with v = max(var, eps), through which gradients pass; `full`
    adds ln(2 pi) / 2.

    Args:
        x: Means, any shape, floats.
        target: The same shape.
        var: Variances that broadcast to x, or one for each row: x's shape without the last axis.
        reduction: `mean` over all elements, `sum`, or `none`.
        full: Whether the constant is added.
        eps: The least variance.

    Returns:
        0-d, or the shape of x for `none`.

    Raises:
        ShapeError: The shapes differ.

    Example:
        >>> x, target, var = (lamina.tensor([v]) for v in (1.0, 3.0, 1.0))
        >>> ops.gaussian_nll_loss(x, target, var).item()
        2.0
    """
    return one("gaussian_nll_loss", x, target, var, reduction=reduction, full=full, eps=eps)


def margin_ranking_loss(
    a: TensorLike,
    b: TensorLike,
    target: TensorLike,
    reduction: Reduction = "mean",
    margin: float = 0.0,
) -> Tensor:
    """Max(0, margin - target (a - b)).

    Args:
        a: Scores.
        b: Scores, a shape that broadcasts with a's.
        target: 1 where a should be the larger, -1 where b should be; broadcasts too.
        reduction: `mean` over all elements, `sum`, or `none`.
        margin: How far ahead is far enough.

    Returns:
        0-d, or the broadcast shape for `none`.

    Raises:
        ShapeError: The shapes do not broadcast.

    Example:
        >>> a, b = lamina.tensor([2.0, 2.0]), lamina.tensor([1.0, 1.0])
        >>> ops.margin_ranking_loss(a, b, lamina.tensor([1.0, -1.0]), "none").tolist()
        [0.0, 1.0]
    """
    return one("margin_ranking_loss", a, b, target, reduction=reduction, margin=margin)


def cosine_embedding_loss(
    a: TensorLike,
    b: TensorLike,
    target: TensorLike,
    reduction: Reduction = "mean",
    margin: float = 0.0,
) -> Tensor:
    """1 - cos(a, b) where the target is 1, max(0, cos(a, b) - margin) where it is -1.

    1e-12 is added to each squared length.

    Args:
        a: (*, size).
        b: (*, size).
        target: 1 or -1, (*).
        reduction: `mean` over all elements, `sum`, or `none`.
        margin: The cosine that is small enough.

    Returns:
        0-d, or (*) for `none`.

    Raises:
        ShapeError: The shapes do not belong together.

    Example:
        >>> a, b = lamina.tensor([[1.0, 0.0]]), lamina.tensor([[0.0, 2.0]])
        >>> ops.cosine_embedding_loss(a, b, lamina.tensor([1.0])).item()
        1.0
    """
    return one("cosine_embedding_loss", a, b, target, reduction=reduction, margin=margin)


def triplet_margin_loss(
    anchor: TensorLike,
    positive: TensorLike,
    negative: TensorLike,
    reduction: Reduction = "mean",
    margin: float = 1.0,
    p: float = 2.0,
    eps: float = 1e-6,
    swap: bool = False,
) -> Tensor:
    """Max(0, d(anchor, positive) - d(anchor, negative) + margin) (Balntas et al. 2016).

    d is `pairwise_distance`.

    Args:
        anchor: (*, size).
        positive: What should be near, (*, size).
        negative: What should be far, (*, size).
        reduction: `mean` over all elements, `sum`, or `none`.
        margin: How much farther is far enough.
        p: Of the norm.
        eps: Added to each difference.
        swap: Take d(positive, negative) where that is less than d(anchor, negative).

    Returns:
        0-d, or (*) for `none`.

    Raises:
        ShapeError: The shapes do not broadcast.
        ArgumentError: p is not above 0.

    Example:
        >>> a, b = lamina.tensor([[0.0, 0.0]]), lamina.tensor([[3.0, 4.0]])
        >>> ops.triplet_margin_loss(a, a, b, margin=6.0, eps=0.0).item()
        1.0
    """
    more = {"margin": margin, "p": p, "eps": eps, "swap": swap}
    return one("triplet_margin_loss", anchor, positive, negative, reduction=reduction, **more)
