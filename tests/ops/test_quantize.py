"""Quantised tensors and products of them, exactly."""

import ml_dtypes
import numpy as np
import pytest

import lamina
from helpers import compare, leaf, normal, raises, rng
from lamina import ops
from lamina.testing import assert_close
from oracle import quantize as oracle

BY_NAME = lamina.dtypes()
SHAPE = (3, 7, 5)
# Scale's shape, axis, block size.
FORMS = [((), 1, 0), ((7,), 1, 0), ((3,), -3, 0), ((3, 4, 5), 1, 2), ((3, 7, 2), 2, 3), ((3, 7, 1), -1, 9)]
FLOAT8 = ["float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz", "float4_e2m1fn"]


def array(values, dtype):
    """In a dtype that NumPy may know through ml_dtypes alone."""
    return np.asarray(values).astype(
        getattr(ml_dtypes, dtype) if dtype in ("int2", "uint2", "int4", "uint4") else dtype
    )


def codes(shape, dtype, seed=0):
    low, high = oracle.RANGES[dtype]
    return array(rng(seed).integers(low, high, shape, endpoint=True), dtype)


def on(device, *arrays):
    return [None if a is None else lamina.tensor(a, device=device) for a in arrays]


def equal(got, wanted):
    np.testing.assert_array_equal(got.numpy().astype(np.int64), wanted)


@pytest.mark.parametrize("dtype", oracle.RANGES)
@pytest.mark.parametrize("form", FORMS, ids=str)
def test_quantize_linear(device, dtype, form):
    shape, axis, block_size = form
    low, high = oracle.RANGES[dtype]
    # Beyond both ends, with halves and what is no number of codes.
    scale = (2.0 ** rng(1).integers(-3, 3, shape)).astype(np.float32)
    zero = codes(shape, dtype, seed=2)
    x = rng(3).uniform(1.2 * low - 2, 1.2 * high + 2, SHAPE)
    x = np.where(rng(4).random(SHAPE) < 0.5, np.floor(x) + 0.5, x) * oracle.spread(
        scale, SHAPE, axis, block_size
    )
    x = x.astype(np.float32)
    x.flat[:3] = np.inf, -np.inf, 0.0
    for zero_point in (zero, None):
        tensors = on(device, x, scale, zero_point)
        options = {"axis": axis, "block_size": block_size, "dtype": BY_NAME[dtype]}
        got = ops.quantize_linear(*tensors, **options)
        assert got.dtype == BY_NAME[dtype]
        assert lamina.explain(got).fallbacks == []
        equal(
            got, oracle.quantize(x, scale, 0 if zero_point is None else zero_point, dtype, axis, block_size)
        )


def test_quantize_linear_says_its_dtype(device):
    x, scale, zero = on(device, np.float32([1.4, -3.0]), np.float32(1.0), np.int8(0))
    assert ops.quantize_linear(x, scale).dtype == lamina.uint8
    assert ops.quantize_linear(x, scale, zero).dtype == lamina.int8
    whole = lamina.tensor(np.int32([5, -5]), device=device)
    assert ops.quantize_linear(whole, scale * 2.0, zero).tolist() == [2, -2]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_the_quotient_has_the_scales_precision_or_the_one_asked_for(device, dtype):
    kind = np.dtype(getattr(ml_dtypes, dtype, dtype))
    x = rng(5).uniform(-9, 9, 4000).astype(kind)
    scale = kind.type(0.37)
    got = ops.quantize_linear(*on(device, x, scale), dtype=lamina.int8)
    wanted = oracle.quantize(x, scale, 0, "int8", precision=kind)
    equal(got, wanted)
    wide = oracle.quantize(x, scale, 0, "int8")
    # Otherwise this shows nothing.
    assert (wide != wanted).any()
    equal(ops.quantize_linear(*on(device, x, scale), dtype=lamina.int8, precision=lamina.float32), wide)
    plain = on(device, x.astype(np.float32), np.float32(scale))
    equal(ops.quantize_linear(*plain, dtype=lamina.int8, precision=BY_NAME[dtype]), wanted)


@pytest.mark.parametrize("dtype", FLOAT8)
def test_to_narrow_floats(device, dtype):
    kind = np.dtype(getattr(ml_dtypes, dtype))
    top = float(ml_dtypes.finfo(kind).max)
    scale = np.float32(0.5)
    x = np.concatenate([normal(500) * top / 4, [0.0, top, -top, 0.3, -0.3]]).astype(np.float32)
    got = ops.quantize_linear(*on(device, x, scale), dtype=BY_NAME[dtype])
    wanted = np.clip(x / scale, -top, top).astype(kind)
    np.testing.assert_array_equal(got.numpy().astype(np.float32), wanted.astype(np.float32))
    zero = np.zeros((), kind)
    same = ops.quantize_linear(*on(device, x, scale, zero))
    assert same.dtype == BY_NAME[dtype]
    np.testing.assert_array_equal(same.numpy().astype(np.float32), wanted.astype(np.float32))
    back = ops.dequantize_linear(got, *on(device, scale, zero))
    np.testing.assert_array_equal(back.numpy(), wanted.astype(np.float32) * scale)
    if dtype != "float4_e2m1fn":
        far = on(device, np.float32([1e6]), scale)
        beyond = ops.quantize_linear(*far, dtype=BY_NAME[dtype], saturate=False)
        np.testing.assert_array_equal(
            beyond.numpy().astype(np.float32), np.float32([2e6]).astype(kind).astype(np.float32)
        )


@pytest.mark.parametrize("dtype", [*oracle.RANGES, "int32"])
@pytest.mark.parametrize("form", FORMS, ids=str)
def test_dequantize_linear(device, dtype, form):
    shape, axis, block_size = form
    if dtype == "int32":
        # Wider than a float's mantissa, but for their difference.
        x, zero = (np.int32(2**30) + rng(0).integers(-99, 99, s, dtype=np.int32) for s in (SHAPE, shape))
    else:
        x, zero = codes(SHAPE, dtype), codes(shape, dtype, seed=1)
    scale = rng(2).uniform(0.5, 2.0, shape)

    def op(s):
        codes, zeros = on(device, x, zero)
        return ops.dequantize_linear(codes, s, zeros, axis=axis, block_size=block_size)

    wanted, gradient = (
        lambda *a, f=f: f(*a, zero, axis, block_size) for f in (oracle.dequantize, oracle.dequantize_vjp)
    )
    compare(op, [scale], device, lambda s: wanted(x, s), lambda gy, s: gradient(gy, x, s))


def test_dequantize_linear_to_another_dtype(device):
    x, scale = np.int8([-3, 4]), np.float32(0.1)
    half = ops.dequantize_linear(*on(device, x, scale), dtype=lamina.float16)
    assert half.dtype == lamina.float16
    np.testing.assert_array_equal(half.numpy(), (x * scale).astype(np.float16))
    powers = lamina.tensor(np.float32(0.25).astype(ml_dtypes.float8_e8m0fnu), device=device)
    codes = lamina.tensor(x, device=device)
    assert ops.dequantize_linear(codes, powers).tolist() == [-0.75, 1.0]


@pytest.mark.parametrize("low", [-3.0, 0.5, -9.0])
@pytest.mark.parametrize("high", [-1.0, 0.0, 7.3])
def test_dynamic_quantize_linear(device, low, high):
    x = rng(6).uniform(min(low, high), max(low, high), (33, 31)).astype(np.float32)
    got, scale, zero_point = ops.dynamic_quantize_linear(leaf(x, device))
    least, most = min(x.min(), 0), max(x.max(), 0)
    wanted_scale = np.float32(np.float32(most - least) / np.float32(255))
    assert_close(scale, wanted_scale, "map")
    wanted_zero = int(np.rint(-np.float32(least) / wanted_scale))
    assert (zero_point.dtype, zero_point.item()) == (lamina.uint8, wanted_zero)
    # By the scale that it got, which on a GPU may be a unit off.
    equal(got, oracle.quantize(x, scale.numpy(), wanted_zero, "uint8"))
    assert not scale.requires_grad


def test_dynamic_quantize_linear_of_zeros(device):
    got, scale, zero_point = ops.dynamic_quantize_linear(leaf(np.zeros((2, 3)), device))
    assert (got.tolist(), scale.item(), zero_point.item()) == ([[0] * 3] * 2, 1.0, 0)


PRODUCTS = [
    ((1, 1), (1, 1)),
    ((5, 33), (33, 31)),
    ((32, 64), (64, 33)),
    ((2, 2050), (2050, 40)),
    ((40, 3), (3, 70)),
    ((2, 3, 4, 6), (6, 5)),
    ((3, 4, 6), (2, 1, 6, 5)),
    ((9, 1, 4, 6), (1, 6, 5)),
    ((7,), (7, 3)),
    ((4, 7), (7,)),
    ((3, 0), (0, 2)),
]


@pytest.mark.parametrize("shapes", PRODUCTS, ids=str)
@pytest.mark.parametrize("dtypes", [("uint8", "int8"), ("int8", "int8"), ("uint8", "uint8")], ids="-".join)
def test_matmul_integer(device, shapes, dtypes):
    a, b = (codes(s, d, seed) for s, d, seed in zip(shapes, dtypes, (0, 1), strict=True))
    zeros = [codes((), d, 2) for d in dtypes]
    equal(ops.matmul_integer(*on(device, a, b)), oracle.matmul_integer(a, b))
    got = ops.matmul_integer(*on(device, a, b, *zeros))
    assert got.dtype == lamina.int32
    assert lamina.explain(got).fallbacks == []
    wide = [z.astype(np.int64) for z in zeros]
    equal(got, oracle.matmul_integer(a, b, *wide))
    equal(
        ops.matmul_integer(*on(device, a, b), b_zero_point=on(device, zeros[1])[0]),
        oracle.matmul_integer(a, b, 0, wide[1]),
    )


def test_zero_points_of_rows_and_columns(device):
    a, b = codes((2, 5, 7), "uint8"), codes((2, 7, 6), "int8", 1)
    rows, columns = codes((2, 5, 1), "uint8", 2), codes((2, 1, 6), "int8", 3)
    wide = [z.astype(np.int64) for z in (rows, columns)]
    equal(ops.matmul_integer(*on(device, a, b, rows, columns)), oracle.matmul_integer(a, b, *wide))
    flat = [rows[0, :, 0], columns[0, 0]]
    equal(
        ops.matmul_integer(*on(device, a[0], b[0], *flat)),
        oracle.matmul_integer(a[0], b[0], wide[0][0], wide[1][0]),
    )


def test_transposed_operands(device):
    a, b = codes((40, 33), "uint8"), codes((31, 40), "int8", 1)
    x, y = on(device, a, b)
    equal(ops.matmul_integer(x.mT, y.mT), oracle.matmul_integer(a.T, b.T))


def test_sums_are_exact_beyond_a_floats_mantissa_and_wrap(device):
    # 40,000 * 255 * 255 is more than 2**31.
    for count in (3000, 40_000):
        a, b = np.full((1, count), 255, np.uint8), np.full((count, 2), 255, np.uint8)
        b[0, 1] = 254
        wanted = oracle.matmul_integer(a, b).astype(np.int32)
        equal(ops.matmul_integer(*on(device, a, b)), wanted)


@pytest.mark.parametrize("dtype", ["int32", "uint32"])
def test_plain_products_of_integers(device, dtype):
    a, b = (rng(s).integers(0, 2**31, shape).astype(dtype) for s, shape in enumerate([(33, 20), (20, 31)]))
    got = ops.matmul(*on(device, a, b))
    assert lamina.explain(got).fallbacks == []
    np.testing.assert_array_equal(got.numpy(), (a.astype(np.uint64) @ b.astype(np.uint64)).astype(dtype))


CONVOLUTIONS = [
    ((2, 3, 9, 11), (5, 3, 3, 3), {"padding": 1}),
    ((1, 16, 8, 8), (33, 16, 3, 3), {"stride": 2, "padding": ((0, 1), (2, 1))}),
    ((2, 32, 7, 5), (24, 32, 1, 1), {}),
    ((2, 12, 6, 7), (18, 4, 3, 2), {"groups": 3, "dilation": 2, "padding": 2}),
    ((2, 7, 9, 10), (7, 1, 3, 3), {"groups": 7, "padding": "same", "stride": 2}),
    ((1, 70, 5, 6), (3, 70, 3, 3), {"padding": "same_lower"}),
]


@pytest.mark.parametrize("case", CONVOLUTIONS, ids=str)
@pytest.mark.parametrize("channels", [False, True])
def test_conv2d_integer(device, case, channels):
    x_shape, w_shape, form = case
    x, w = codes(x_shape, "uint8"), codes(w_shape, "int8", 1)
    x_zero, w_zero = codes((), "uint8", 2), codes(w_shape[:1] if channels else (), "int8", 3)
    got = ops.conv2d_integer(*on(device, x, w, x_zero, w_zero), **form)
    assert got.dtype == lamina.int32
    assert lamina.explain(got).fallbacks == []
    equal(got, oracle.conv2d_integer(x, w, int(x_zero), w_zero, **form))
    equal(ops.conv2d_integer(*on(device, x, w), **form), oracle.conv2d_integer(x, w, **form))


@pytest.mark.parametrize("dtype", ["uint8", "int8"])
def test_qlinear_matmul(device, dtype):
    a, b = codes((2, 5, 33), "uint8"), codes((33, 6), "int8", 1)
    zeros = codes((2, 5, 1), "uint8", 2), codes((1, 6), "int8", 3)
    scales = [rng(4).uniform(0.01, 0.05, z.shape).astype(np.float32) for z in zeros]
    y_scale, y_zero = np.float32(0.7), codes((), dtype, 5)
    got = ops.qlinear_matmul(*on(device, a, scales[0], zeros[0], b, scales[1], zeros[1], y_scale, y_zero))
    assert got.dtype == BY_NAME[dtype]
    assert lamina.explain(got).fallbacks == []
    sums = oracle.matmul_integer(a, b, *(z.astype(np.int64) for z in zeros))
    equal(got, oracle.requantize(sums, scales[0] * scales[1] / y_scale, int(y_zero), dtype))


@pytest.mark.parametrize("dtype", FLOAT8[:4])
def test_qlinear_matmul_of_narrow_floats(device, dtype):
    kind = np.dtype(getattr(ml_dtypes, dtype))
    a, b = (normal(*shape, seed=s).astype(kind) for s, shape in enumerate([(5, 9), (9, 4)]))
    one, zero = np.float32(0.5), np.zeros((), kind)
    got = ops.qlinear_matmul(*on(device, a, one, zero, b, one, zero, one, zero))
    wanted = (a.astype(np.float64) @ b.astype(np.float64) * 0.5).astype(kind)
    np.testing.assert_array_equal(got.numpy().astype(np.float32), wanted.astype(np.float32))


@pytest.mark.parametrize("case", CONVOLUTIONS, ids=str)
def test_qlinear_conv2d(device, case):
    x_shape, w_shape, form = case
    x, w = codes(x_shape, "uint8"), codes(w_shape, "int8", 1)
    x_zero, w_zero = codes((), "uint8", 2), codes(w_shape[:1], "int8", 3)
    x_scale, y_scale = np.float32(0.02), np.float32(1.3)
    w_scale = rng(4).uniform(0.01, 0.05, w_shape[0]).astype(np.float32)
    bias = rng(5).integers(-5000, 5000, w_shape[0], dtype=np.int32)
    y_zero = np.uint8(100)
    operands = on(device, x, x_scale, x_zero, w, w_scale, w_zero, y_scale, y_zero)
    got = ops.qlinear_conv2d(*operands, *on(device, bias), **form)
    assert lamina.explain(got).fallbacks == []
    sums = oracle.conv2d_integer(x, w, int(x_zero), w_zero, bias, **form)
    scale = (x_scale * w_scale / y_scale)[:, None, None]
    equal(got, oracle.requantize(sums, scale, 100, "uint8"))
    sums -= bias[:, None, None]
    equal(ops.qlinear_conv2d(*operands, **form), oracle.requantize(sums, scale, 100, "uint8"))


def test_mistakes():
    x, scale, zero = (
        lamina.tensor(normal(2, 3).astype(np.float32)),
        lamina.tensor([1.0, 2.0]),
        lamina.tensor(0),
    )
    raises(
        lamina.ShapeError,
        "quantize_linear: scale has shape [2], x [2, 3]; wanted one number, or [3] along axis 1, "
        "or a block_size",
        lambda: ops.quantize_linear(x, scale),
    )
    raises(
        lamina.ShapeError,
        "quantize_linear: scale has shape [2], x [2, 3]; blocks of 2 along axis 1 want [2, 2]",
        lambda: ops.quantize_linear(x, scale, block_size=2),
    )
    raises(
        lamina.DTypeError,
        "quantize_linear: zero_point has dtype int64, wanted int8; cast it first",
        lambda: ops.quantize_linear(x, scale, zero, dtype=lamina.int8, axis=0),
    )
    raises(
        lamina.UnsupportedError,
        "quantize_linear: nothing is quantised as int64; supported: int8, uint8, int16, uint16, int4, uint4, "
        "int2, uint2, float8 but for e8m0, float4_e2m1fn",
        lambda: ops.quantize_linear(x, scale, zero, axis=0),
    )
    a = lamina.tensor(np.ones((2, 3), np.int8))
    raises(
        lamina.ShapeError,
        "matmul_integer: [2, 3] @ [2, 3]: the first has 3 columns, the second 2 rows; they must be equal",
        lambda: ops.matmul_integer(a, a),
    )
    raises(
        lamina.ShapeError,
        "matmul_integer: a_zero_point has shape [3]; wanted one number or one for each of 2 rows, "
        "for an operand [2, 3]",
        lambda: ops.matmul_integer(a, a.mT, a[0]),
    )
    raises(
        lamina.DTypeError,
        "matmul_integer: b_zero_point has dtype int64, wanted int8; cast it first",
        lambda: ops.matmul_integer(a, a.mT, b_zero_point=zero),
    )
    raises(
        lamina.UnsupportedError,
        "matmul_integer: a has dtype float32; supported: int8, uint8; cast it first",
        lambda: ops.matmul_integer(x, a.mT),
    )
