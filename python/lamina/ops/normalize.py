"""Normalisation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, overload

from lamina._lamina import Tensor
from lamina.ops._record import Operand, TensorLike, many, one
from lamina.ops.make import ones


def _given(
    x: TensorLike, weight: TensorLike | None, bias: TensorLike | None, shape: Sequence[int]
) -> list[Operand]:
    """What there is of x, weight and bias; a bias alone has a weight of ones."""
    if weight is None and bias is not None:
        weight = ones(shape, bias.dtype, bias.device)
    return [given for given in (x, weight, bias) if given is not None]


@overload
def batch_norm(
    x: TensorLike,
    weight: TensorLike,
    bias: TensorLike,
    running_mean: None = None,
    running_var: None = None,
    *,
    training: Literal[True],
    eps: float = 1e-5,
) -> tuple[Tensor, Tensor, Tensor]: ...
@overload
def batch_norm(
    x: TensorLike,
    weight: TensorLike,
    bias: TensorLike,
    running_mean: TensorLike,
    running_var: TensorLike,
    training: Literal[False] = False,
    eps: float = 1e-5,
) -> Tensor: ...
def batch_norm(
    x: TensorLike,
    weight: TensorLike,
    bias: TensorLike,
    running_mean: TensorLike | None = None,
    running_var: TensorLike | None = None,
    training: bool = False,
    eps: float = 1e-5,
) -> tuple[Tensor, Tensor, Tensor] | Tensor:
    """(x - mean) / sqrt(var + eps) * weight + bias, per channel (Ioffe and Szegedy 2015).

    Args:
        x: (batch, channels, *).
        weight: (channels,).
        bias: (channels,).
        running_mean: (channels,), wanted when not training.
        running_var: (channels,), wanted when not training.
        training: Normalise with the batch's own mean and biased variance.
        eps: Added to the variance.

    Returns:
        The shape of x; in training also the batch's mean and biased variance, (channels,).

    Example:
        >>> one, zero = lamina.tensor([1.0]), lamina.tensor([0.0])
        >>> y, mean, var = ops.batch_norm(lamina.tensor([[1.0], [3.0]]), one, zero, training=True)
        >>> mean.tolist(), var.tolist()
        ([2.0], [1.0])
    """
    params = {"training": training, "eps": eps}
    if training:
        y, mean, var = many("batch_norm", [x, weight, bias], params)
        return y, mean, var
    inputs: list[Operand] = [x, weight, bias]
    inputs += [state for state in (running_mean, running_var) if state is not None]
    return one("batch_norm", *inputs, **params)


def layer_norm(
    x: TensorLike,
    normalized_shape: int | Sequence[int],
    weight: TensorLike | None = None,
    bias: TensorLike | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """(x - mean) / sqrt(var + eps) * weight + bias, each row by itself (Ba, Kiros and Hinton 2016).

    A row is what the last axes span; var is biased.

    Args:
        x: (*, normalized_shape).
        normalized_shape: Lengths of the last axes; a number for the last alone.
        weight: normalized_shape; 1 if None.
        bias: normalized_shape; 0 if None.
        eps: Added to the variance.

    Returns:
        The shape of x.

    Raises:
        ShapeError: x does not end in normalized_shape, or weight or bias has another shape.
        DTypeError: weight or bias has another dtype than x.

    Example:
        >>> ops.layer_norm(lamina.tensor([[1.0, 3.0]]), 2, eps=0.0).tolist()
        [[-1.0, 1.0]]
    """
    shape = [normalized_shape] if isinstance(normalized_shape, int) else list(normalized_shape)
    inputs = _given(x, weight, bias, shape)
    return many("layer_norm", inputs, {"normalized_shape": shape, "eps": eps})[0]


def rms_norm(
    x: TensorLike,
    normalized_shape: int | Sequence[int],
    weight: TensorLike | None = None,
    eps: float | None = None,
) -> Tensor:
    """X / sqrt(mean(x^2) + eps) * weight, each row by itself (Zhang and Sennrich 2019).

    Args:
        x: (*, normalized_shape).
        normalized_shape: Lengths of the last axes, which make a row; a number for the last alone.
        weight: normalized_shape; 1 if None.
        eps: Added to the mean; the distance from 1 to the next number of x's dtype if None.

    Returns:
        The shape of x.

    Raises:
        ShapeError: x does not end in normalized_shape, or weight has another shape.
        DTypeError: weight has another dtype than x.

    Example:
        >>> ops.rms_norm(lamina.tensor([[3.0, 3.0]]), 2, eps=0.0).tolist()
        [[1.0, 1.0]]
    """
    shape = [normalized_shape] if isinstance(normalized_shape, int) else list(normalized_shape)
    inputs = [x] if weight is None else [x, weight]
    return one("rms_norm", *inputs, normalized_shape=shape, eps=eps)


def group_norm(
    x: TensorLike,
    num_groups: int,
    weight: TensorLike | None = None,
    bias: TensorLike | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """(x - mean) / sqrt(var + eps) * weight + bias, each group of channels by itself (Wu and He 2018).

    Mean and biased variance are of a group's channels in one sample.

    Args:
        x: (batch, channels, *).
        num_groups: Into how many groups of neighbours the channels are divided.
        weight: (channels,); 1 if None.
        bias: (channels,); 0 if None.
        eps: Added to the variance.

    Returns:
        The shape of x.

    Raises:
        ArgumentError: The channels do not divide into that many groups.
        ShapeError: weight or bias is not one for each channel.
        DTypeError: weight or bias has another dtype than x.

    Example:
        >>> ops.group_norm(lamina.tensor([[1.0, 3.0, 0.0, 4.0]]), 2, eps=0.0).tolist()
        [[-1.0, 1.0, -1.0, 1.0]]
    """
    inputs = _given(x, weight, bias, x.shape[1:2])
    return one("group_norm", *inputs, num_groups=num_groups, eps=eps)


def instance_norm(
    x: TensorLike,
    weight: TensorLike | None = None,
    bias: TensorLike | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """(x - mean) / sqrt(var + eps) * weight + bias, each channel of each sample by itself.

    With mean and biased variance over the axes after the channels (Ulyanov et al. 2016).

    Args:
        x: (batch, channels, ...), with at least one more axis.
        weight: (channels,); 1 if None.
        bias: (channels,); 0 if None.
        eps: Added to the variance.

    Returns:
        The shape of x.

    Raises:
        ShapeError: x has fewer axes, or weight or bias is not one for each channel.
        DTypeError: weight or bias has another dtype than x.

    Example:
        >>> ops.instance_norm(lamina.tensor([[[1.0, 3.0], [0.0, 4.0]]]), eps=0.0).tolist()
        [[[-1.0, 1.0], [-1.0, 1.0]]]
    """
    return one("instance_norm", *_given(x, weight, bias, x.shape[1:2]), eps=eps)


def local_response_norm(
    x: TensorLike, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Tensor:
    """X / (k + alpha * mean)^beta, with the mean of squares over neighbouring channels.

    The window reaches size // 2 channels back and (size - 1) // 2 ahead, zeros beyond the ends
    included in the mean (Krizhevsky et al. 2012).

    Args:
        x: (batch, channels, *).
        size: How many channels a window has.
        alpha: What the mean is multiplied by.
        beta: The exponent.
        k: Added to it.

    Returns:
        The shape of x.

    Raises:
        ArgumentError: size is 0.
        ShapeError: x has no channels.

    Example:
        >>> ops.local_response_norm(lamina.tensor([[[3.0]]]), 1, alpha=1.0, beta=0.5, k=0.0).tolist()
        [[[1.0]]]
    """
    return one("local_response_norm", x, size=size, alpha=alpha, beta=beta, k=k)
