"""Products, and images at another size."""

from __future__ import annotations

from typing import Literal

from lamina._lamina import ArgumentError, Tensor
from lamina.ops._record import TensorLike, one
from lamina.ops._window import Size, each


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


def bilinear(a: TensorLike, b: TensorLike, weight: TensorLike, bias: TensorLike | None = None) -> Tensor:
    """A W b^T + bias, with a matrix W for each output.

    Args:
        a: (*, first).
        b: (*, second), with the same leading axes.
        weight: (out_features, first, second).
        bias: (out_features,) or None.

    Returns:
        (*, out_features).

    Raises:
        ShapeError: The shapes do not belong together.

    Example:
        >>> a, b = lamina.tensor([[1.0, 2.0]]), lamina.tensor([[3.0]])
        >>> ops.bilinear(a, b, lamina.tensor([[[1.0], [10.0]]])).tolist()
        [[63.0]]
    """
    return one("bilinear", a, b, weight) if bias is None else one("bilinear", a, b, weight, bias)


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


def interpolate(
    x: TensorLike,
    size: Size | None = None,
    scale_factor: float | tuple[float, float] | None = None,
    mode: Literal["nearest", "bilinear", "bicubic"] = "nearest",
    align_corners: bool = False,
) -> Tensor:
    """An image at another size, with PyTorch's names and conventions; see `resize` for ONNX's.

    `nearest` takes pixel floor(i * old / new); the others weigh the neighbours of
    (i + 1/2) * old / new - 1/2, or with align_corners of i * (old - 1) / (new - 1).

    Args:
        x: (batch, channels, height, width).
        size: The new (height, width); either this or scale_factor.
        scale_factor: One factor, or (vertical, horizontal).
        mode: How values between pixels are found.
        align_corners: Whether the pixels in the corners stay where they are.

    Returns:
        (batch, channels, new_height, new_width).

    Raises:
        ArgumentError: align_corners beside `nearest`, or an unknown mode.

    Example:
        >>> ops.interpolate(lamina.tensor([[[[1.0, 2.0]]]]), scale_factor=2.0).shape
        (1, 1, 2, 4)
    """
    names: dict[str, Literal["nearest", "linear", "cubic"]] = {
        "nearest": "nearest",
        "bilinear": "linear",
        "bicubic": "cubic",
    }
    if mode not in names or (align_corners and mode == "nearest"):
        raise ArgumentError(
            f"interpolate: mode={mode!r} with align_corners={align_corners}; "
            "wanted 'nearest' without, 'bilinear' or 'bicubic'"
        )
    corners = "align_corners" if align_corners else "half_pixel"
    factors = (scale_factor, scale_factor) if isinstance(scale_factor, (int, float)) else scale_factor
    return resize(
        x,
        size,
        factors,
        names[mode],
        "asymmetric" if mode == "nearest" else corners,
        "floor",
    )
