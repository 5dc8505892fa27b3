"""What lamina holds itself to, for the tests of plugins too.

One table says how far a result may lie from the float64 reference; nothing else
in the tests names a tolerance.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from lamina import _lamina
from lamina._lamina import Cell, DType, Tensor

Array = npt.NDArray[Any]


class Tolerance(NamedTuple):
    """|got - wanted| <= atol * scale + rtol * |wanted|, scale being the largest |wanted|, at least 1."""

    rtol: float
    atol: float


# `exact` ops move or compare values; `sum` ops add many products (matmul, conv,
# reductions); `map` ops compute each element by itself.
TOLERANCES: dict[tuple[str, str], Tolerance] = {
    ("float64", "map"): Tolerance(1e-12, 1e-12),
    ("float64", "sum"): Tolerance(1e-10, 1e-11),
    ("float32", "map"): Tolerance(3e-6, 1e-6),
    ("float32", "sum"): Tolerance(1e-5, 2e-6),
    ("float16", "map"): Tolerance(1e-3, 1e-3),
    ("float16", "sum"): Tolerance(2e-3, 2e-3),
    # Two units in the last place, as float16's: 2 * 2**-7.
    ("bfloat16", "sum"): Tolerance(1.6e-2, 1.6e-2),
    # A whole network's outputs against another runtime's.
    ("float32", "model"): Tolerance(1e-4, 1e-4),
    ("float16", "model"): Tolerance(1e-2, 1e-2),
}


def tolerance(dtype: str, kind: str = "sum") -> Tolerance:
    """The table's line; integers and bool are exact."""
    return TOLERANCES.get((dtype, kind), Tolerance(0.0, 0.0))


def _array(value: Any) -> Array:
    if isinstance(value, Cell):
        value = value.tensor
    return np.asarray(value.numpy() if isinstance(value, Tensor) else value)


def assert_close(got: Any, wanted: npt.ArrayLike, kind: str = "sum", dtype: str | None = None) -> None:
    """Raise AssertionError unless shapes are equal and values within the table's tolerance.

    Args:
        got: A tensor, cell or array.
        wanted: The reference.
        kind: `map`, `sum` or `model`.
        dtype: Whose line of the table holds; that of `got` if None.

    Example:
        >>> lamina.testing.assert_close(lamina.tensor([1.0]), [1.0])
    """
    left = _array(got)
    right = np.asarray(wanted)
    if left.shape != right.shape:
        raise AssertionError(f"shape {left.shape}, wanted {right.shape}")
    rtol, atol = tolerance(dtype or left.dtype.name, kind)
    if right.dtype.kind not in "fc":
        right = right.astype(left.dtype)
    finite = (
        np.abs(right[np.isfinite(right)]) if right.dtype.kind == "f" else np.abs(right.astype(np.float64))
    )
    scale = max(1.0, float(finite.max(initial=0.0)))
    np.testing.assert_allclose(left, right, rtol=rtol, atol=atol * scale)


def devices() -> list[str]:
    """Every device of this machine by name, the CPU first; software adapters too."""
    return [str(device["device"]) for device in _lamina.devices()]


def numeric_gradient(
    function: Callable[..., Tensor],
    inputs: Sequence[Array],
    which: int,
    weights: Array,
    step: float = 1e-6,
) -> Array:
    """Central differences of sum(weights * function(*inputs)) by one float64 input."""
    inputs = [np.array(x) for x in inputs]
    moved = inputs[which]
    gradient = np.zeros_like(moved)

    def total() -> float:
        # Leaves want gradients here too: the function may itself take one.
        leaves = (_lamina.tensor(x, device="cpu", requires_grad=x.dtype.kind == "f") for x in inputs)
        return float(np.sum(weights * function(*leaves).detach().numpy()))

    for at in np.ndindex(moved.shape):
        kept = moved[at]
        moved[at] = kept + step
        above = total()
        moved[at] = kept - step
        gradient[at] = (above - total()) / (2 * step)
        moved[at] = kept
    return gradient


def check_gradients(
    function: Callable[..., Tensor],
    inputs: Sequence[npt.ArrayLike],
    tolerance: float = 1e-6,
    seed: int = 0,
) -> None:
    """Compare gradients with central differences, in float64 on the CPU.

    The error is max |analytic - numeric| over max(1, max |numeric|); keep inputs
    away from kinks.  This sees a wrong gradient rule; a fast float32 kernel is
    seen by `assert_close` against a reference alone.

    Args:
        function: From tensors to one float tensor.
        inputs: Float ones are checked; integer ones are passed on.
        tolerance: Greatest error.
        seed: Of the weights that make a scalar of the output.

    Raises:
        AssertionError: A gradient is wrong; says which input and where.

    Example:
        >>> lamina.testing.check_gradients(lambda a, b: a * b, [[1.0, 2.0], [3.0, 4.0]])
    """
    arrays = [np.asarray(x) for x in inputs]
    arrays = [x.astype(np.float64) if x.dtype.kind == "f" else x for x in arrays]
    leaves = [_lamina.tensor(x, device="cpu", requires_grad=x.dtype.kind == "f") for x in arrays]
    out = function(*leaves)
    weights = np.random.default_rng(seed).standard_normal(out.shape)
    floats = [at for at, x in enumerate(arrays) if x.dtype.kind == "f"]
    total = (out * _lamina.tensor(weights, device="cpu")).sum()
    gradients = _lamina.grad(total, [leaves[at] for at in floats])
    for at, gradient in zip(floats, gradients, strict=True):
        got = _array(gradient)
        wanted = numeric_gradient(function, arrays, at, weights)
        if got.shape != wanted.shape:
            raise AssertionError(f"gradient of input {at}: shape {got.shape}, wanted {wanted.shape}")
        error = np.abs(got - wanted) / max(1.0, float(np.abs(wanted).max(initial=0.0)))
        if not error.max(initial=0.0) <= tolerance:
            worst = np.unravel_index(np.argmax(error), error.shape)
            raise AssertionError(
                f"gradient of input {at} at {tuple(int(i) for i in worst)}: "
                f"got {got[worst]!r}, numerically {wanted[worst]!r}"
            )


def check_devices(
    function: Callable[..., Tensor],
    inputs: Sequence[npt.ArrayLike],
    kind: str = "sum",
    dtype: DType | None = None,
) -> None:
    """Run a function on every device and compare values and gradients with the CPU's.

    Two devices agreeing does not make them right: this finds differences, a
    reference finds errors.

    Args:
        function: From tensors to one tensor.
        inputs: Its inputs; floats become `dtype`.
        kind: The table's column.
        dtype: float32 if None.

    Raises:
        AssertionError: A device differs; says which.

    Example:
        >>> lamina.testing.check_devices(lambda x: x * 2.0, [[1.0, 2.0]])
    """
    float_name = dtype.name if dtype is not None else "float32"
    arrays = [np.asarray(x) for x in inputs]
    arrays = [x.astype(float_name) if x.dtype.kind == "f" else x for x in arrays]
    reference: list[Array] = []
    for device in devices():
        leaves = [_lamina.tensor(x, device=device, requires_grad=x.dtype.kind == "f") for x in arrays]
        out = function(*leaves)
        floats = [leaf for leaf in leaves if leaf.requires_grad]
        gradients = _lamina.grad(out.sum(), floats) if floats and out.requires_grad else []
        results = [_array(value) for value in (out, *gradients)]
        if not reference:
            reference = results
        for number, (got, wanted) in enumerate(zip(results, reference, strict=True)):
            what = "value" if number == 0 else f"gradient {number - 1}"
            try:
                assert_close(got, wanted, kind)
            except AssertionError as error:
                raise AssertionError(f"{what} on {device} differs from the CPU's: {error}") from None
