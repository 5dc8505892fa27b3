"""The ops that networks are made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias, overload

from lamina._lamina import Tensor
from lamina.ops._record import Operand, TensorLike, many, one
from lamina.ops.make import ones

Pair: TypeAlias = int | tuple[int, int]
Padding: TypeAlias = (
    int | tuple[int, int] | Sequence[tuple[int, int]] | Literal["valid", "same", "same_lower"]
)


def pair(value: int | Sequence[int]) -> list[int]:
    """Both sides from one number."""
    return [value, value] if isinstance(value, int) else list(value)


def _padding(padding: Padding) -> str | list[int]:
    """As the core wants it: a word, or top, left, bottom, right."""
    if isinstance(padding, str):
        return padding
    if isinstance(padding, int):
        return [padding] * 4
    vertical, horizontal = padding
    top, bottom = (vertical, vertical) if isinstance(vertical, int) else vertical
    left, right = (horizontal, horizontal) if isinstance(horizontal, int) else horizontal
    return [top, left, bottom, right]


def matmul(a: TensorLike, b: TensorLike) -> Tensor:
    """The matrix product over the last two axes; the axes before them broadcast.

    Args:
        a: (*, m, k), or (k,) for a row vector.
        b: (*, k, n), or (k,) for a column vector.

    Returns:
        (*, m, n), without the axis of a vector.

    Raises:
        ShapeError: The inner axes differ, or those before do not broadcast.

    Example:
        >>> a = lamina.tensor([[1.0, 2.0], [3.0, 4.0]])
        >>> ops.matmul(a, lamina.tensor([1.0, 1.0])).tolist()
        [3.0, 7.0]
    """
    return one("matmul", a, b)


def einsum(equation: str, *operands: TensorLike) -> Tensor:
    """A sum of products in Einstein's notation: `ij,jk->ik` is a matrix product.

    Each term names the axes of an operand by letters, `...` standing for any others; axes of one
    letter run together, and those that the result does not name are summed.  Two operands after
    the other are one matrix product.

    Args:
        equation: The terms, and after `->` the result's; without it the letters that occur once,
            in alphabetical order.
        *operands: One for each term.

    Returns:
        The shape that the result's letters name, of the promoted dtype.

    Raises:
        ArgumentError: The equation does not fit the operands.
        ShapeError: Axes of one letter differ in length.

    Example:
        >>> x = lamina.tensor([[1.0, 2.0], [3.0, 4.0]])
        >>> ops.einsum("ii->i", x).tolist(), ops.einsum("ij,j->i", x, x[0]).tolist()
        ([1.0, 4.0], [5.0, 11.0])
    """
    return one("einsum", *operands, equation=equation)


def linear(x: TensorLike, weight: TensorLike, bias: TensorLike | None = None) -> Tensor:
    """X W^T + b.

    Args:
        x: (*, in_features).
        weight: (out_features, in_features).
        bias: (out_features,) or None.

    Returns:
        (*, out_features).

    Raises:
        ShapeError: in_features differ.

    Example:
        >>> ops.linear(lamina.tensor([[1.0, 2.0]]), lamina.tensor([[3.0, 4.0]])).tolist()
        [[11.0]]
    """
    return one("linear", x, weight) if bias is None else one("linear", x, weight, bias)


def conv2d(
    x: TensorLike,
    weight: TensorLike,
    bias: TensorLike | None = None,
    stride: Pair = 1,
    padding: Padding = 0,
    dilation: Pair = 1,
    groups: int = 1,
) -> Tensor:
    """Two-dimensional cross-correlation, as networks call convolution.

    out[n, o, y, x] = bias[o] + sum over c, i, j of
    weight[o, c, i, j] * x[n, c, y * stride - pad + i * dilation, ...].

    Args:
        x: (batch, in_channels, height, width).
        weight: (out_channels, in_channels / groups, kernel_height, kernel_width).
        bias: (out_channels,) or None.
        stride: Step of the window, one number or (vertical, horizontal).
        padding: Zeros around: a number, (vertical, horizontal), ((top, bottom), (left, right)),
            `valid` (none), `same` (output ceil(size / stride), the odd zero at the end) or
            `same_lower` (the odd zero at the start).
        dilation: Distance between taps.
        groups: Channels are split into so many independent convolutions.

    Returns:
        (batch, out_channels, out_height, out_width), where
        out = floor((size + pads - dilation * (kernel - 1) - 1) / stride) + 1.

    Raises:
        ShapeError: Channels do not fit, or the window is larger than the padded input.

    Example:
        >>> x = lamina.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
        >>> ops.conv2d(x, lamina.tensor([[[[1.0, 1.0]]]])).tolist()
        [[[[3.0], [7.0]]]]
    """
    inputs = [x, weight] if bias is None else [x, weight, bias]
    return one(
        "conv2d",
        *inputs,
        stride=pair(stride),
        padding=_padding(padding),
        dilation=pair(dilation),
        groups=groups,
    )


def conv_transpose2d(
    x: TensorLike,
    weight: TensorLike,
    bias: TensorLike | None = None,
    stride: Pair = 1,
    padding: Padding = 0,
    output_padding: Pair = 0,
    groups: int = 1,
    dilation: Pair = 1,
) -> Tensor:
    """Two-dimensional transposed convolution: what `conv2d` sends back to its input.

    out[n, o, y * stride - pad + i * dilation, ...] is bias[o] + the sum over c, y, x of
    weight[c, o, i, j] * x[n, c, y, x].

    Args:
        x: (batch, in_channels, height, width).
        weight: (in_channels, out_channels / groups, kernel_height, kernel_width).
        bias: (out_channels,) or None.
        stride: Distance between the places of neighbours, one number or (vertical, horizontal).
        padding: What is cut off the borders: a number, (vertical, horizontal) or
            ((top, bottom), (left, right)).
        output_padding: Rows and columns more at the end, fewer than the stride or the dilation.
        groups: Channels are split into so many independent convolutions.
        dilation: Distance between taps.

    Returns:
        (batch, out_channels, out_height, out_width), where
        out = (size - 1) * stride - pads + dilation * (kernel - 1) + 1 + output_padding.

    Raises:
        ShapeError: Channels do not fit, or the padding leaves nothing.
        ArgumentError: The output padding is too large.

    Example:
        >>> x = lamina.tensor([[[[1.0, 2.0]]]])
        >>> ops.conv_transpose2d(x, lamina.tensor([[[[1.0, 10.0]]]]), stride=2).tolist()
        [[[[1.0, 10.0, 2.0, 20.0]]]]
    """
    inputs = [x, weight] if bias is None else [x, weight, bias]
    return one(
        "conv_transpose2d",
        *inputs,
        stride=pair(stride),
        padding=_padding(padding),
        output_padding=pair(output_padding),
        dilation=pair(dilation),
        groups=groups,
    )


def max_pool2d(
    x: TensorLike,
    kernel_size: Pair,
    stride: Pair | None = None,
    padding: Padding = 0,
    dilation: Pair = 1,
    ceil_mode: bool = False,
) -> Tensor:
    """The largest value in each window; padding counts as -infinity.

    Args:
        x: (batch, channels, height, width).
        kernel_size: Size of the window.
        stride: Its step; kernel_size if None.
        padding: As for `conv2d`.
        dilation: Distance between taps.
        ceil_mode: Round the output size up; the last window must start inside the input or its
            padding at the start.

    Returns:
        (batch, channels, out_height, out_width).  The gradient goes to the first maximum.

    Example:
        >>> ops.max_pool2d(lamina.tensor([[[[1.0, 2.0], [3.0, 4.0]]]]), 2).tolist()
        [[[[4.0]]]]
    """
    return one(
        "max_pool2d",
        x,
        kernel_size=pair(kernel_size),
        stride=pair(kernel_size if stride is None else stride),
        padding=_padding(padding),
        dilation=pair(dilation),
        ceil_mode=ceil_mode,
    )


def avg_pool2d(
    x: TensorLike,
    kernel_size: Pair,
    stride: Pair | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:
    """The mean of each window.

    Args:
        x: (batch, channels, height, width).
        kernel_size: Size of the window.
        stride: Its step; kernel_size if None.
        padding: As for `conv2d`.
        ceil_mode: Round the output size up.
        count_include_pad: Whether padding counts in the divisor.

    Returns:
        (batch, channels, out_height, out_width).

    Example:
        >>> ops.avg_pool2d(lamina.tensor([[[[1.0, 2.0], [3.0, 4.0]]]]), 2).tolist()
        [[[[2.5]]]]
    """
    return one(
        "avg_pool2d",
        x,
        kernel_size=pair(kernel_size),
        stride=pair(kernel_size if stride is None else stride),
        padding=_padding(padding),
        ceil_mode=ceil_mode,
        count_include_pad=count_include_pad,
    )


def global_avg_pool2d(x: TensorLike) -> Tensor:
    """The mean of each channel.

    Args:
        x: (batch, channels, height, width).

    Returns:
        (batch, channels, 1, 1).

    Example:
        >>> ops.global_avg_pool2d(lamina.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])).tolist()
        [[[[2.5]]]]
    """
    return one("global_avg_pool2d", x)


def global_max_pool2d(x: TensorLike) -> Tensor:
    """The largest value of each channel.

    Args:
        x: (batch, channels, height, width).

    Returns:
        (batch, channels, 1, 1).

    Example:
        >>> ops.global_max_pool2d(lamina.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])).tolist()
        [[[[4.0]]]]
    """
    return one("global_max_pool2d", x)


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
    inputs: list[Operand] = [x]
    if weight is None and bias is not None:
        weight = ones(shape, bias.dtype, bias.device)
    inputs += [given for given in (weight, bias) if given is not None]
    return many("layer_norm", inputs, {"normalized_shape": shape, "eps": eps})[0]


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


def resize(
    x: TensorLike,
    size: Pair | None = None,
    scales: tuple[float, float] | None = None,
    mode: Literal["nearest", "linear", "cubic"] = "nearest",
    coordinate_mode: str = "half_pixel",
    nearest_mode: str = "round_prefer_floor",
) -> Tensor:
    """An image at another size, with the conventions of ONNX's Resize.

    Args:
        x: (batch, channels, height, width).
        size: The new (height, width); either this or scales.
        scales: Factors (vertical, horizontal).
        mode: How values between pixels are found.
        coordinate_mode: `half_pixel`, `align_corners`, `asymmetric` or `pytorch_half_pixel`.
        nearest_mode: `round_prefer_floor`, `round_prefer_ceil`, `floor` or `ceil`.

    Returns:
        (batch, channels, new_height, new_width).

    Example:
        >>> ops.resize(lamina.tensor([[[[1.0, 2.0]]]]), size=(1, 4)).tolist()
        [[[[1.0, 1.0, 2.0, 2.0]]]]
    """
    return one(
        "resize",
        x,
        size=None if size is None else pair(size),
        scales=None if scales is None else list(scales),
        mode=mode,
        coordinate_mode=coordinate_mode,
        nearest_mode=nearest_mode,
    )
