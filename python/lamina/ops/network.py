"""The ops that networks are made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, overload

from lamina._lamina import Tensor
from lamina.ops._record import Operand, TensorLike, many, one
from lamina.ops._window import Size, each
from lamina.ops.make import ones


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


def det(x: TensorLike) -> Tensor:
    """The determinant of each matrix, by elimination with partial pivoting.

    Its gradient is the matrix of cofactors, det(x) * inv(x)^T, and is found without dividing by the
    determinant: singular matrices have one too.  The gradient of the gradient divides by it.

    Args:
        x: (*, n, n); on a GPU n is at most 64, larger ones run on the CPU.

    Returns:
        (*); 1 of a matrix without elements.

    Raises:
        ShapeError: The matrices are not square.

    Example:
        >>> ops.det(lamina.tensor([[2.0, 1.0], [4.0, 3.0]])).tolist()
        2.0
    """
    return one("det", x)


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
    size: Size | None = None,
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
        size=None if size is None else each(size, 2),
        scales=None if scales is None else list(scales),
        mode=mode,
        coordinate_mode=coordinate_mode,
        nearest_mode=nearest_mode,
    )
