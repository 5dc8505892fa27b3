"""Casts between dtypes, as NumPy rounds them."""

import ml_dtypes
import numpy as np
import pytest

import lamina
from helpers import leaf, raises
from lamina import ops

NAMES = ["bool", "uint8", "int32", "int64", "float16", "float32", "float64"]
BY_NAME = lamina.dtypes()


@pytest.mark.parametrize("before", NAMES)
@pytest.mark.parametrize("after", NAMES)
def test_cast(device, before, after):
    if device != "cpu" and "float64" in (before, after):
        pytest.skip("float64 lives on the CPU")
    x = np.array([0, 1, 2, 3, 100, 7, 5] * 5).astype(before)
    out = ops.cast(leaf(x, device, before), BY_NAME[after])
    assert out.dtype == BY_NAME[after]
    np.testing.assert_array_equal(out.numpy(), x.astype(after))


def test_floats_are_cut_towards_zero(device):
    x = np.array([1.7, -1.7, 0.5, -0.5, 1e6])
    np.testing.assert_array_equal(ops.cast(leaf(x, device), lamina.int32).numpy(), x.astype(np.int32))
    wide = np.array([2.0**40, -(2.0**40), 3.0, -1.0])
    np.testing.assert_array_equal(ops.cast(leaf(wide, device), lamina.int64).numpy(), wide.astype(np.int64))


def test_gradient_passes_between_floats(device):
    x = leaf(np.array([1.0, 2.0]), device)
    (gradient,) = lamina.grad(ops.sum(ops.cast(x, lamina.float16) * 3.0), [x])
    assert gradient.dtype == lamina.float32
    np.testing.assert_array_equal(gradient.numpy(), [3.0, 3.0])


FLOATS = ["float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz", "float4_e2m1fn"]
INTEGERS = {"int4": 4, "uint4": 4, "int2": 2, "uint2": 2}


def narrow(name):
    return np.dtype(getattr(ml_dtypes, name))


def codes(name):
    """Every code once, as an array of the dtype."""
    bits = {"float4_e2m1fn": 4, **INTEGERS}.get(name, 8)
    return np.arange(1 << bits, dtype=np.uint8).view(narrow(name))


@pytest.mark.parametrize("name", [*FLOATS, "float8_e8m0fnu", *INTEGERS])
def test_every_code_means_what_ml_dtypes_says(device, name):
    x = codes(name)
    tensor = lamina.tensor(x, device=device)
    assert tensor.dtype == BY_NAME[name]
    assert tensor.numpy().dtype == x.dtype
    np.testing.assert_array_equal(tensor.numpy().view(np.uint8), x.view(np.uint8))
    np.testing.assert_array_equal(ops.cast(tensor, lamina.float32).numpy(), x.astype(np.float32))
    if name in INTEGERS:
        np.testing.assert_array_equal(ops.cast(tensor, lamina.int64).numpy(), x.astype(np.int64))


@pytest.mark.parametrize("name", FLOATS)
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_to_the_nearest_narrow_float(device, name, dtype):
    every = codes(name).astype(np.float64)
    every = np.unique(every[np.isfinite(every)])
    between = [every[:-1] + (every[1:] - every[:-1]) * share for share in (0.25, 0.5, 0.75)]
    x = np.concatenate([every, *between, np.random.default_rng(0).standard_normal(999)]).astype(dtype)
    got = ops.cast(leaf(x, device, dtype), BY_NAME[name])
    top = every.max()
    wanted = np.clip(x.astype(np.float32), -top, top).astype(narrow(name))
    np.testing.assert_array_equal(got.numpy().view(np.uint8), wanted.view(np.uint8))
    assert lamina.explain(ops.cast(leaf(x, device, dtype), BY_NAME[name])).fallbacks == []


@pytest.mark.parametrize("name", FLOATS[:-1])
def test_what_does_not_fit_a_narrow_float(device, name):
    x = leaf(np.array([1e6, -1e6, np.inf, -np.inf, np.nan]), device)
    cut = ops.cast(x, BY_NAME[name]).numpy().astype(np.float32)
    top = float(ml_dtypes.finfo(narrow(name)).max)
    np.testing.assert_array_equal(cut, [top, -top, top, -top, np.nan])
    wild = ops.cast(x, BY_NAME[name], saturate=False).numpy().astype(np.float32)
    beyond = np.inf if name == "float8_e5m2" else np.nan
    np.testing.assert_array_equal(wild, [beyond, -beyond, beyond, -beyond, np.nan])


@pytest.mark.parametrize("name", INTEGERS)
@pytest.mark.parametrize("before", ["float32", "int64", "uint8", "int8"])
def test_narrow_integers_wrap(device, name, before):
    x = np.arange(-20, 20).astype(before)
    got = ops.cast(leaf(x, device, before), BY_NAME[name]).numpy()
    mask = (1 << INTEGERS[name]) - 1
    np.testing.assert_array_equal(got.view(np.uint8), x.astype(np.int64) & mask)


def test_powers_of_two_round_as_asked(device):
    x = leaf(np.array([1.0, 1.25, 1.5, 1.75, 2.0, 3e-39, 0.0, 3.4e38]), device)
    scale = BY_NAME["float8_e8m0fnu"]
    for mode, wanted in {
        "up": [127, 128, 128, 128, 128, 0, 0, 254],
        "down": [127, 127, 127, 127, 128, 0, 0, 254],
        "nearest": [127, 127, 128, 128, 128, 0, 0, 254],
    }.items():
        got = ops.cast(x, scale, round_mode=mode).numpy().view(np.uint8)
        assert got.tolist() == wanted, mode
    raises(
        lamina.ArgumentError,
        "cast: round_mode='odd' is not 'up', 'down' or 'nearest'",
        lambda: ops.cast(x, scale, round_mode="odd"),
    )


def test_narrow_dtypes_move_but_do_not_compute(device):
    x = lamina.tensor(codes("float8_e4m3fn").reshape(8, 32), device=device)
    moved = ops.concat([ops.permute(x, [1, 0]), ops.permute(x, [1, 0])[::-1]], 0)
    bits = x.numpy().view(np.uint8)
    np.testing.assert_array_equal(moved.numpy().view(np.uint8), np.concatenate([bits.T, bits.T[::-1]]))
    chosen = ops.where(
        lamina.tensor([True, False] * 16, device=device),
        x,
        ops.take(x, lamina.tensor([7] * 8, device=device)),
    )
    np.testing.assert_array_equal(
        chosen.numpy().view(np.uint8), np.where([True, False] * 16, bits, bits[[7] * 8])
    )
    for call, name in ((lambda: x + x, "add"), (lambda: ops.exp(x), "exp"), (lambda: x * 2.0, "mul")):
        raises(
            lamina.UnsupportedError,
            f"{name}: is not defined for float8_e4m3fn; cast it first",
            call,
        )
    assert ops.cast(x, lamina.float32)[0, 1].item() == 2.0**-9
    assert "0.001953" in repr(x[0, :2])


PAIRS = [
    ("float32", "int32"),
    ("int64", "uint64"),
    ("int16", "float16"),
    ("uint8", "float8_e5m2"),
    ("bool", "int8"),
    ("float16", "bfloat16"),
]


@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
def test_bitcast(device, pair):
    before, after = pair
    x = np.arange(-33, 33).astype(before)
    got = ops.bitcast(lamina.tensor(x, device=device), BY_NAME[after])
    assert got.dtype == BY_NAME[after]
    assert got.numpy().tobytes() == x.tobytes()


def test_bitcast_mistakes():
    x = lamina.tensor([1.0])
    raises(
        lamina.DTypeError,
        "bitcast: float32 has 32 bits, int64 64; they must be equal",
        lambda: ops.bitcast(x, lamina.int64),
    )
    raises(
        lamina.DTypeError,
        "bitcast: bytes other than 0 and 1 are no bool; compare with 0 instead",
        lambda: ops.bitcast(ops.cast(x, lamina.uint8), lamina.bool_),
    )
