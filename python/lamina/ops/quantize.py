"""Quantised tensors: codes with a scale and a zero point, and products of them.

A code q stands for (q - zero_point) * scale, as ONNX defines it.  Scale and zero point are one
number each, or as many as an axis is long, or one for each block of an axis.
"""

from __future__ import annotations

from lamina._lamina import Cell, DType, Tensor, tensor
from lamina.ops._record import TensorLike, many, one
from lamina.ops._window import Padding, Size, each, padding_of


def quantize_linear(
    x: TensorLike,
    scale: TensorLike,
    zero_point: TensorLike | None = None,
    axis: int = 1,
    block_size: int = 0,
    dtype: DType | None = None,
    saturate: bool = True,
    precision: DType | None = None,
) -> Tensor:
    """Codes of x: saturate(round(x / scale) + zero_point), halves rounded to even.

    As ONNX's QuantizeLinear.  Not differentiable: codes are constant between jumps.

    Args:
        x: Floats or int32, any shape.
        scale: One number; (length of `axis`,); or, with a block size, x's shape with
            ceil(length / block_size) along `axis`.
        zero_point: The shape of scale, in the result's dtype; 0 if None.
        axis: Along which scales differ.
        block_size: How many neighbours share a scale; 0: all, or none along `axis`.
        dtype: Of the result: int8, uint8, int16, uint16, int4, uint4, int2, uint2, a float8 but
            for e8m0, or float4_e2m1fn; that of zero_point if None, else uint8.
        saturate: What does not fit a float8: its largest, or infinity or NaN if False.
        precision: In which dtype x is divided; that of scale if None.

    Returns:
        The shape of x.

    Raises:
        ShapeError: scale or zero_point has another shape.
        DTypeError: zero_point has another dtype than `dtype`.

    Example:
        >>> ops.quantize_linear(lamina.tensor([0.5, 1.5, -9.0, 300.0]), lamina.tensor(1.0)).tolist()
        [0, 2, 0, 255]
    """
    inputs = [x, scale] if zero_point is None else [x, scale, zero_point]
    return one(
        "quantize_linear",
        *inputs,
        axis=axis,
        block_size=block_size,
        dtype=dtype,
        saturate=saturate,
        precision=precision,
    )


def dequantize_linear(
    x: TensorLike,
    scale: TensorLike,
    zero_point: TensorLike | None = None,
    axis: int = 1,
    block_size: int = 0,
    dtype: DType | None = None,
) -> Tensor:
    """The numbers of codes: (x - zero_point) * scale.

    As ONNX's DequantizeLinear.  Differentiable in scale; codes and zero points are not of a
    dtype that carries a gradient.

    Args:
        x: Codes of any dtype that `quantize_linear` makes, or int32.
        scale: As for `quantize_linear`.
        zero_point: The shape of scale, in x's dtype; 0 if None.
        axis: Along which scales differ.
        block_size: How many neighbours share a scale.
        dtype: Of the result; that of scale if None.

    Returns:
        The shape of x.

    Raises:
        ShapeError: scale or zero_point has another shape.
        DTypeError: zero_point has another dtype than x.

    Example:
        >>> codes = lamina.tensor([1, 3], dtype=lamina.uint8)
        >>> ops.dequantize_linear(codes, lamina.tensor(0.5)).tolist()
        [0.5, 1.5]
    """
    inputs = [x, scale] if zero_point is None else [x, scale, zero_point]
    return one("dequantize_linear", *inputs, axis=axis, block_size=block_size, dtype=dtype)


def dynamic_quantize_linear(x: TensorLike) -> tuple[Tensor, Tensor, Tensor]:
    """uint8 codes whose range is that of x and 0, with their scale and zero point.

    As ONNX's DynamicQuantizeLinear: scale = (max(x, 0) - min(x, 0)) / 255 and zero_point =
    round(-min(x, 0) / scale).  Of zeros alone the scale is 1.  Not differentiable.

    Args:
        x: float32, any shape, not empty.

    Returns:
        Codes of x's shape, scale (0-d float32) and zero point (0-d uint8).

    Example:
        >>> codes, scale, zero_point = ops.dynamic_quantize_linear(lamina.tensor([-1.0, 0.0, 1.55]))
        >>> codes.tolist(), round(scale.item(), 4), zero_point.item()
        ([0, 100, 255], 0.01, 100)
    """
    codes, scale, zero_point = many("dynamic_quantize_linear", [x], {})
    return codes, scale, zero_point


def _zero_points(
    a: TensorLike, b: TensorLike, a_zero: TensorLike | None, b_zero: TensorLike | None
) -> list[TensorLike]:
    """The zero points that are given, and 0 for the first where only the second is."""
    if b_zero is None:
        return [] if a_zero is None else [a_zero]
    if a_zero is None:
        codes = a.tensor if isinstance(a, Cell) else a
        a_zero = tensor(0, dtype=codes.dtype)
    return [a_zero, b_zero]


def matmul_integer(
    a: TensorLike,
    b: TensorLike,
    a_zero_point: TensorLike | None = None,
    b_zero_point: TensorLike | None = None,
) -> Tensor:
    """(a - a_zero_point) @ (b - b_zero_point), summed in int32 exactly (but that it wraps).

    As ONNX's MatMulInteger.  Not differentiable.

    Args:
        a: int8 or uint8, (*, rows, inner), or (inner,).
        b: int8 or uint8, (*, inner, columns), or (inner,).
        a_zero_point: One number, (rows,) or (*, rows, 1), in a's dtype; 0 if None.
        b_zero_point: One number, (columns,) or (*, 1, columns), in b's dtype; 0 if None.

    Returns:
        (*, rows, columns), int32.

    Raises:
        ShapeError: The inner sizes differ, or a zero point has another shape.
        DTypeError: A zero point has another dtype than its operand.

    Example:
        >>> a, b = lamina.tensor([[1, 2]], dtype=lamina.uint8), lamina.tensor([[3], [4]], dtype=lamina.int8)
        >>> ops.matmul_integer(a, b, lamina.tensor(1, dtype=lamina.uint8)).tolist()
        [[4]]
    """
    return one("matmul_integer", a, b, *_zero_points(a, b, a_zero_point, b_zero_point))


def conv2d_integer(
    x: TensorLike,
    weight: TensorLike,
    x_zero_point: TensorLike | None = None,
    weight_zero_point: TensorLike | None = None,
    stride: Size = 1,
    padding: Padding = 0,
    dilation: Size = 1,
    groups: int = 1,
) -> Tensor:
    """`conv2d` of x - x_zero_point with weight - weight_zero_point, summed in int32 exactly.

    As ONNX's ConvInteger: x is padded with its zero point, which stands for 0.  Sums wrap.  Not
    differentiable.

    Args:
        x: int8 or uint8, (batch, in_channels, height, width).
        weight: int8 or uint8, (out_channels, in_channels / groups, kernel_height, kernel_width).
        x_zero_point: One number in x's dtype; 0 if None.
        weight_zero_point: One number or (out_channels,) in weight's dtype; 0 if None.
        stride: As for `conv2d`, and so are the others.
        padding: `conv2d`'s.
        dilation: `conv2d`'s.
        groups: `conv2d`'s.

    Returns:
        (batch, out_channels, out_height, out_width), int32.

    Raises:
        ShapeError: Channels do not fit, or a zero point has another shape.
        DTypeError: A zero point has another dtype than its operand.

    Example:
        >>> x = lamina.tensor([[[[1, 2], [3, 4]]]], dtype=lamina.uint8)
        >>> ops.conv2d_integer(x, lamina.tensor([[[[2]]]], dtype=lamina.int8)).tolist()
        [[[[2, 4], [6, 8]]]]
    """
    return one(
        "conv2d_integer",
        x,
        weight,
        *_zero_points(x, weight, x_zero_point, weight_zero_point),
        stride=each(stride, 2),
        padding=padding_of(padding),
        dilation=each(dilation, 2),
        groups=groups,
    )


def qlinear_matmul(
    a: TensorLike,
    a_scale: TensorLike,
    a_zero_point: TensorLike,
    b: TensorLike,
    b_scale: TensorLike,
    b_zero_point: TensorLike,
    y_scale: TensorLike,
    y_zero_point: TensorLike,
) -> Tensor:
    """The product of quantised matrices, quantised.

    saturate(round(s * a_scale * b_scale / y_scale) + y_zero_point), s being `matmul_integer` of a
    and b; float8s are multiplied in float32.  As ONNX's QLinearMatMul.  Not differentiable.

    Args:
        a: int8, uint8 or a float8, (*, rows, inner), or (inner,).
        a_scale: Floats: one number, (rows,) or (*, rows, 1).
        a_zero_point: The shape of a_scale, in a's dtype.
        b: As a, (*, inner, columns), or (inner,).
        b_scale: Floats: one number, (columns,) or (*, 1, columns).
        b_zero_point: The shape of b_scale, in b's dtype.
        y_scale: Floats: one number, (rows,) or (*, rows, 1).
        y_zero_point: The shape of y_scale; says the result's dtype.

    Returns:
        (*, rows, columns), in the dtype of y_zero_point.

    Raises:
        ShapeError: The inner sizes differ, or a scale or zero point has another shape.
        DTypeError: A zero point has another dtype than its operand.

    Example:
        >>> a, zero = lamina.tensor([[10, 20]], dtype=lamina.uint8), lamina.tensor(0, dtype=lamina.uint8)
        >>> half = lamina.tensor(0.5)
        >>> ops.qlinear_matmul(a, half, zero, a.mT, half, zero, lamina.tensor(1.0), zero).tolist()
        [[125]]
    """
    quantised = (a, a_scale, a_zero_point, b, b_scale, b_zero_point)
    return one("qlinear_matmul", *quantised, y_scale, y_zero_point)


def qlinear_conv2d(
    x: TensorLike,
    x_scale: TensorLike,
    x_zero_point: TensorLike,
    weight: TensorLike,
    weight_scale: TensorLike,
    weight_zero_point: TensorLike,
    y_scale: TensorLike,
    y_zero_point: TensorLike,
    bias: TensorLike | None = None,
    stride: Size = 1,
    padding: Padding = 0,
    dilation: Size = 1,
    groups: int = 1,
) -> Tensor:
    """The convolution of quantised images, quantised.

    saturate(round(s * x_scale * weight_scale / y_scale) + y_zero_point), s being `conv2d_integer`
    of x and weight, plus bias.  As ONNX's QLinearConv.  Not differentiable.

    Args:
        x: int8 or uint8, (batch, in_channels, height, width).
        x_scale: Floats: one number.
        x_zero_point: One number in x's dtype.
        weight: int8 or uint8, (out_channels, in_channels / groups, kernel_height, kernel_width).
        weight_scale: Floats: one number or (out_channels,).
        weight_zero_point: One number or (out_channels,) in weight's dtype.
        y_scale: Floats: one number.
        y_zero_point: One number; says the result's dtype.
        bias: (out_channels,) int32 in units of x_scale * weight_scale, or None.
        stride: As for `conv2d`, and so are the others.
        padding: `conv2d`'s.
        dilation: `conv2d`'s.
        groups: `conv2d`'s.

    Returns:
        (batch, out_channels, out_height, out_width), in the dtype of y_zero_point.

    Raises:
        ShapeError: Channels do not fit, or a scale or zero point has another shape.
        DTypeError: A zero point has another dtype than its operand, or bias is not int32.

    Example:
        >>> x, zero = lamina.tensor([[[[10, 20]]]], dtype=lamina.uint8), lamina.tensor(0, dtype=lamina.uint8)
        >>> w, half = lamina.tensor([[[[3]]]], dtype=lamina.uint8), lamina.tensor(0.5)
        >>> ops.qlinear_conv2d(x, half, zero, w, half, zero, lamina.tensor(1.0), zero).tolist()
        [[[[8, 15]]]]
    """
    quantised = (x, x_scale, x_zero_point, weight, weight_scale, weight_zero_point)
    rest = (y_scale, y_zero_point) if bias is None else (y_scale, y_zero_point, bias)
    return one(
        "qlinear_conv2d",
        *quantised,
        *rest,
        stride=each(stride, 2),
        padding=padding_of(padding),
        dilation=each(dilation, 2),
        groups=groups,
    )
