"""ONNX models in and out."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from lamina import _lamina
from lamina._lamina import ArgumentError, Model, ModelError, Tensor
from lamina._onnx_check import Node, OperatorCount, Report, Verdict
from lamina._trace import Examples, Target, named, trace
from lamina.ops import zeros

__all__ = ["Node", "OperatorCount", "Report", "Verdict", "check", "load", "save"]

Shapes = Mapping[str, int | Sequence[int | None]]


def load(
    path: str | os.PathLike[str] | bytes,
    device: str = "auto",
    strict: bool = False,
    shapes: Shapes | None = None,
) -> Model:
    """Read a model.

    Sizes that the file leaves open are decided by the inputs of a run; each new set of shapes
    is planned once, and the plans of the last sixteen are kept.  With `shapes` they are decided
    here, so that the first run has its plan.

    Args:
        path: A file, or its bytes.
        device: `auto` (the best hardware GPU, else the CPU), `cpu`, `gpu`, `gpu:N`.
        strict: Raise where an op has no kernel on the device instead of running it on the CPU: as
            a plan is made or, where shapes inside depend on data, as its part of the model runs.
            What float64 takes part in has no kernel on any GPU.
        shapes: A size for a symbolic dimension (`{"N": 4}`) or a shape for an input
            (`{"x": (4, None, 224)}`, None leaves a size as it is).

    Returns:
        A model with `inputs`, `outputs`, `run({name: array})`, `explain()` and `profile()`, and
        what the file says of itself: `metadata`, `producer`, `opsets`, `ir_version`, `version`,
        `domain`, `doc`.  It may be run by several threads at once.

    Raises:
        ModelError: The file cannot be read or is no ONNX model.
        UnsupportedError: It uses ops or dtypes that lamina does not have; all are listed.
        DeviceError: There is no such device.
        ArgumentError: shapes names what the model does not have.
        ShapeError: shapes contradicts the model or itself.

    Example:
        >>> import tempfile
        >>> where = tempfile.mkdtemp() + "/linear.onnx"
        >>> lamina.onnx.save(nn.Linear(3, 2), ops.zeros((1, 3)), where, dynamic={"x": {0: "N"}})
        >>> lamina.onnx.load(where, device="cpu").inputs[0].shape
        ('N', 3)
        >>> lamina.onnx.load(where, device="cpu", shapes={"N": 4}).inputs[0].shape
        (4, 3)
    """
    return _lamina.onnx_load(_source(path), device, strict, _listed("load", shapes))


def check(
    path: str | os.PathLike[str] | bytes,
    device: str = "auto",
    shapes: Shapes | None = None,
) -> Report:
    """Say what a model would do, without running or even loading it.

    Each node is looked at: where it would run, and if it would not, why.  A node behind one that
    is missing is looked at if the file says what lies between them.  Weights are not read.
    Sizes that the file leaves open are tried as 1 on the first axis, as 64 elsewhere.

    Args:
        path: A file, or its bytes.
        device: As for `load`.
        shapes: As for `load`.

    Returns:
        A report, true if nothing is missing.

    Raises:
        ModelError: The file cannot be read or is no ONNX model.
        DeviceError: There is no such device.
        ArgumentError: shapes names what the model does not have.
        ShapeError: shapes contradicts the model or itself.

    Example:
        >>> import tempfile
        >>> where = tempfile.mkdtemp() + "/linear.onnx"
        >>> lamina.onnx.save(nn.Linear(3, 2), ops.zeros((1, 3)), where)
        >>> report = lamina.onnx.check(where, device="cpu")
        >>> bool(report), [(n.operator, n.verdict.value) for n in report.nodes]
        (True, [('Gemm', 'runs')])
    """
    found = _lamina.onnx_check(_source(path), device, _listed("check", shapes))
    nodes = [
        Node(name, operator, opset, Verdict(verdict), why)
        for name, operator, opset, verdict, why in found["nodes"]
    ]
    return Report(
        device=found["device"],
        opsets=found["opsets"],
        inputs=tuple(found["inputs"]),
        outputs=tuple(found["outputs"]),
        missing=tuple(found["missing"]),
        nodes=tuple(nodes),
        data_dependent=found["data_dependent"],
    )


def _source(path: str | os.PathLike[str] | bytes) -> str | bytes:
    return path if isinstance(path, bytes) else os.fspath(path)


def _listed(call: str, shapes: Shapes | None) -> list[tuple[str, int | list[int | None]]]:
    found: list[tuple[str, int | list[int | None]]] = []
    for name, wanted in (shapes or {}).items():
        sizes: list[int | None] = [wanted] if isinstance(wanted, int) else list(wanted)
        for size in sizes:
            if isinstance(size, bool) or not (size is None or (isinstance(size, int) and size >= 0)):
                raise ArgumentError(f"onnx.{call}: shapes: '{name}' has a size of {size!r}, wanted 0 or more")
        found.append((name, wanted if isinstance(wanted, int) else sizes))
    return found


def save(
    target: Target,
    inputs: Examples,
    path: str | os.PathLike[str],
    dynamic: Mapping[str, Mapping[int, str]] | None = None,
    output_names: Sequence[str] | None = None,
) -> None:
    """Write a module or function as an ONNX model.

    It is called with the example inputs and what it records is written; a module in
    training mode is put into evaluation for the call.  Where axes are dynamic it is
    called a second time at another size, so that what was computed from a size is
    found instead of written as a number.

    The file has operator set 17, which runtimes of several years back read; 18 where there
    is Mish, an operator on bits or a scatter that compares, and 20 where there is a GELU,
    which are operators only from there on.

    Args:
        target: A module, or a function of tensors.
        inputs: Example inputs: a tensor (named `x`), several (`x0`, `x1`, ...), or by name, in
            the order of the arguments.
        path: Where to; written to a temporary name beside it and renamed.
        dynamic: For each input, which axes have a name instead of a length: `{"x": {0: "N"}}`.
        output_names: `y`, or `y0`, `y1`, ... if None.

    Raises:
        ArgumentError: dynamic names no input or axis, or output_names does not fit.
        UnsupportedError: Something recorded has no ONNX counterpart, or would bake a dynamic size.
        ModelError: The file cannot be written.

    Example:
        >>> import tempfile
        >>> where = tempfile.mkdtemp() + "/linear.onnx"
        >>> lamina.onnx.save(nn.Linear(3, 2), ops.zeros((1, 3)), where, dynamic={"x": {0: "N"}})
        >>> model = lamina.onnx.load(where, device="cpu")
        >>> model.run({"x": np.zeros((4, 3), np.float32)})["y"].shape
        (4, 2)
    """
    given = named("x", inputs)
    dynamic = dynamic or {}
    for name, axes in dynamic.items():
        if name not in given:
            raise ArgumentError(f"onnx.save: dynamic names '{name}'; the inputs are: {', '.join(given)}")
        for axis in axes:
            if not 0 <= axis < given[name].ndim:
                raise ArgumentError(
                    f"onnx.save: dynamic axis {axis} of '{name}' is not in 0..{given[name].ndim}"
                )
    traced = trace(target, given)
    again = trace(target, _other_sizes(given, dynamic)) if any(dynamic.values()) else None
    names = list(traced.outputs) if output_names is None else list(output_names)
    if len(names) != len(traced.outputs):
        raise ArgumentError(f"onnx.save: {len(names)} output names for {len(traced.outputs)} outputs")
    data = _lamina.onnx_save(
        list(zip(names, traced.outputs.values(), strict=True)),
        list(traced.inputs.items()),
        traced.cells,
        dynamic,
        None
        if again is None
        else (list(zip(names, again.outputs.values(), strict=True)), list(again.inputs.items())),
    )
    _write(Path(path), data)


def _other_sizes(given: Mapping[str, Tensor], dynamic: Mapping[str, Mapping[int, str]]) -> dict[str, Tensor]:
    """Inputs whose dynamic axes are a multiple as long, by another factor for each name.

    Multiples keep divisible what must divide; different factors tell the names apart.
    """
    symbols = sorted({symbol for axes in dynamic.values() for symbol in axes.values()})
    factors = {symbol: 2 + at for at, symbol in enumerate(symbols)}
    found = {}
    for name, value in given.items():
        shape = list(value.shape)
        for axis, symbol in dynamic.get(name, {}).items():
            shape[axis] = factors[symbol] * max(shape[axis], 1)
        found[name] = zeros(shape, value.dtype, value.device)
    return found


def _write(path: Path, data: bytes) -> None:
    """All of the file or nothing."""
    try:
        _lamina.write_file(path, data)
    except OSError as error:
        raise ModelError(f"onnx.save: cannot write '{path}': {error.strerror}") from error
