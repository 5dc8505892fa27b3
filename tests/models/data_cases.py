"""The onnx package's cases on disk: small models of PyTorch's first exporters, simple ones, and
the nine "light" networks, whose weights are constants of one number."""

from __future__ import annotations

from functools import cache, cached_property
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

DATA = Path(onnx.__file__).parent / "backend" / "test" / "data"
KINDS = ("pytorch-converted", "pytorch-operator", "simple", "light")

GRADIENT = "Gradient: no such operator here"

# What is not supported on any device, and a piece of what lamina says.
MISSING = {
    "simple/test_gradient_of_add": GRADIENT,
    "simple/test_gradient_of_add_and_mul": GRADIENT,
}


class DataCase:
    """A model with inputs and expected outputs, as `conformance` takes them."""

    rtol, atol = 1e-3, 1e-7

    def __init__(self, name: str, path: Path, model: onnx.ModelProto | None = None):
        self.name = name
        self.path = path
        self._model = model

    @cached_property
    def model(self) -> onnx.ModelProto:
        """The file, or what was made of it."""
        return self._model or onnx.load(self.path)

    @cached_property
    def data_sets(self) -> list[tuple[list[object], list[object]]]:
        """Inputs and outputs of each run."""
        graph = self.model.graph
        given = {initializer.name for initializer in graph.initializer}
        inputs = [info for info in graph.input if info.name not in given]
        if self.path.parent.name == "light":
            output = self.path.with_name(f"{self.path.stem}_output_0.pb")
            return [([_ramp(inputs[0])], [_read(output, graph.output[0])])]
        return [
            (
                [_read(folder / f"input_{i}.pb", info) for i, info in enumerate(inputs)],
                [_read(folder / f"output_{i}.pb", info) for i, info in enumerate(graph.output)],
            )
            for folder in sorted(self.path.parent.glob("test_data_set_*"))
        ]


def _ramp(info: onnx.ValueInfoProto) -> np.ndarray:
    """What the package gives a light network: 0 to 1 in even steps."""
    shape = [dim.dim_value for dim in info.type.tensor_type.shape.dim]
    return (np.arange(np.prod(shape)).reshape(shape) / np.prod(shape)).astype(np.float32)


def _read(path: Path, info: onnx.ValueInfoProto) -> object:
    data = path.read_bytes()
    match info.type.WhichOneof("value"):
        case "sequence_type":
            return numpy_helper.to_list(onnx.SequenceProto.FromString(data))
        case "optional_type":
            return numpy_helper.to_optional(onnx.OptionalProto.FromString(data))
        case _:
            return numpy_helper.to_array(onnx.TensorProto.FromString(data))


@cache
def cases() -> dict[str, DataCase]:
    """All of them by kind and name."""
    found = {}
    for kind in KINDS:
        files = (DATA / kind).glob("*.onnx" if kind == "light" else "*/model.onnx")
        for path in sorted(files):
            name = f"{kind}/{path.stem if kind == 'light' else path.parent.name}"
            found[name] = DataCase(name, path)
    return found
