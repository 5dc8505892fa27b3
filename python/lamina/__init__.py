"""Lamina: a thin layer between Python and whatever the machine has.

Tensors are immutable and lazily recorded: calling an op checks its arguments
and infers the result's shape and dtype at once; values are computed when
someone looks (`numpy()`, `item()`, printing, `lamina.eval`, an optimizer's
step).  Importing lamina opens no adapter and imports no plugin.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from lamina._lamina import (
    ArgumentError,
    Cell,
    DeviceError,
    DType,
    DTypeError,
    Explanation,
    IndexError,
    InternalError,
    LaminaError,
    LostError,
    Model,
    ModelError,
    OutOfMemoryError,
    PluginError,
    Profile,
    Program,
    ShapeError,
    Tensor,
    UnsupportedError,
    counters,
    devices,
    dtypes,
    eval,
    explain,
    from_dlpack,
    grad,
    manual_seed,
    num_threads,
    op_table,
    profile,
    set_default_device,
    set_num_threads,
    tensor,
)
from lamina._lamina import version as __version__
from lamina._modes import enable_grad, no_grad, thread_limit

if TYPE_CHECKING:
    from lamina import decoders, interop, nn, onnx, ops, optim, registry, testing

_by_name = dtypes()
bool_ = _by_name["bool"]
uint8 = _by_name["uint8"]
int8 = _by_name["int8"]
int32 = _by_name["int32"]
int64 = _by_name["int64"]
float16 = _by_name["float16"]
float32 = _by_name["float32"]
float64 = _by_name["float64"]

# Rooms that are opened when first named, so that importing lamina stays quick.
_ROOMS = frozenset({"decoders", "interop", "nn", "onnx", "ops", "optim", "registry", "testing"})


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return importlib.import_module(f"lamina.{name}")
    raise AttributeError(f"module 'lamina' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted({*globals(), *_ROOMS})


__all__ = [
    "ArgumentError",
    "Cell",
    "DType",
    "DTypeError",
    "DeviceError",
    "Explanation",
    "IndexError",
    "InternalError",
    "LaminaError",
    "LostError",
    "Model",
    "ModelError",
    "OutOfMemoryError",
    "PluginError",
    "Profile",
    "Program",
    "ShapeError",
    "Tensor",
    "UnsupportedError",
    "__version__",
    "bool_",
    "counters",
    "decoders",
    "devices",
    "dtypes",
    "enable_grad",
    "eval",
    "explain",
    "float16",
    "float32",
    "float64",
    "from_dlpack",
    "grad",
    "int8",
    "int32",
    "int64",
    "interop",
    "manual_seed",
    "nn",
    "no_grad",
    "num_threads",
    "onnx",
    "op_table",
    "ops",
    "optim",
    "profile",
    "registry",
    "set_default_device",
    "set_num_threads",
    "tensor",
    "testing",
    "thread_limit",
    "uint8",
]
