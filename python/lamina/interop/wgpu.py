"""Running a saved `lamina.Program` on your own wgpu-py device.

Inputs and outputs may be buffers that already live there (pygfx, fastplotlib or
any wgpu-py code), so that nothing is copied through the host.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from lamina import _lamina
from lamina._lamina import ArgumentError, Program, UnsupportedError
from lamina._trace import Examples, Target, named, trace

Array = npt.NDArray[Any]


def _wgpu() -> Any:
    try:
        import wgpu
    except ImportError as error:
        raise ArgumentError("interop.wgpu wants wgpu-py: pip install 'lamina[wgpu]'") from error
    return wgpu


def program(target: Target, inputs: Examples, portable: bool = True) -> Program:
    """A module or function as a program of GPU dispatches, for these inputs' shapes.

    Args:
        target: A module (run in evaluation mode), or a function of tensors.
        inputs: Example inputs on a GPU: a tensor (named `x`), several (`x0`, `x1`, ...), or by name.
        portable: Keep to WebGPU's default limits and no optional features.

    Returns:
        A program with the weights in it; `save(path)` writes it.

    Raises:
        UnsupportedError: Something recorded has no GPU kernel.
        DeviceError: The inputs are not on a GPU.
    """
    traced = trace(target, named("x", inputs))
    return _lamina.program(list(traced.outputs.items()), list(traced.inputs.items()), portable)


def run(
    program: Program,
    device: Any,
    inputs: Mapping[str, npt.ArrayLike | Any],
    outputs: Mapping[str, Any] | None = None,
) -> dict[str, Array]:
    """Run a program once; `Player` keeps its pipelines for many runs.

    Args:
        program: From `program` or `lamina.Program.load`.
        device: A `wgpu.GPUDevice`.
        inputs: Arrays, or `wgpu.GPUBuffer`s of that device, by the program's names.
        outputs: Buffers into which results go, by name; what is not named here is read back.

    Returns:
        The results that were read back, by name.

    Raises:
        ArgumentError: A name is missing or left over, or an array's shape differs.
        UnsupportedError: The device lacks a limit or feature that the program needs.
        IndexError: An index was out of range while it ran.
    """
    return Player(program, device).run(inputs, outputs)


class Player:
    """A program made ready on a device.

    Args:
        program: The program.
        device: A `wgpu.GPUDevice`.

    Raises:
        UnsupportedError: The device lacks a limit or feature that the program needs.
    """

    def __init__(self, program: Program, device: Any) -> None:
        header, self._blob = program.to_parts()
        self._header: dict[str, Any] = json.loads(header)
        self._device = device
        self._wgpu = _wgpu()
        self._check()
        self._pipelines = [self._pipeline(module) for module in self._header["modules"]]
        self._constants = {
            number: self._upload(self._bytes(buffer["of"]), "STORAGE")
            for number, buffer in enumerate(self._header["buffers"])
            if buffer["role"] == "constant"
        }
        self._params = [
            self._upload(self._bytes(dispatch["params"]), "UNIFORM") if dispatch["params"][1] else None
            for dispatch in self._header["dispatches"]
        ]

    def _check(self) -> None:
        """WebGPU's limits by their own names."""
        for name, wanted in self._header["requires"].items():
            if name == "features":
                missing = set(wanted) - set(self._device.features)
                if missing:
                    raise UnsupportedError(f"interop.wgpu: the device lacks the features {sorted(missing)}")
                continue
            has = self._device.limits.get(name, wanted)
            if wanted > has:
                raise UnsupportedError(
                    f"interop.wgpu: the program needs {name} {wanted}, the device has {has}"
                )

    def _bytes(self, span: list[int]) -> bytes:
        offset, length = span
        return self._blob[offset : offset + length]

    def _upload(self, data: bytes, usage: str) -> Any:
        step = 16 if usage == "UNIFORM" else 4
        padded = data + bytes(-len(data) % step) or bytes(step)
        return self._device.create_buffer_with_data(data=padded, usage=usage)

    def _pipeline(self, module: dict[str, Any]) -> tuple[Any, Any]:
        wgpu, device = self._wgpu, self._device
        kinds = ["uniform"] if module["has_params"] else []
        kinds += ["read-only-storage" if access == "Read" else "storage" for access in module["bindings"]]
        entries = [
            {"binding": at, "visibility": wgpu.ShaderStage.COMPUTE, "buffer": {"type": kind}}
            for at, kind in enumerate(kinds)
        ]
        layout = device.create_bind_group_layout(entries=entries)
        pipeline = device.create_compute_pipeline(
            layout=device.create_pipeline_layout(bind_group_layouts=[layout]),
            compute={
                "module": device.create_shader_module(code=module["wgsl"]),
                "entry_point": module["entry"],
            },
        )
        return pipeline, layout

    def run(self, inputs: Mapping[str, Any], outputs: Mapping[str, Any] | None = None) -> dict[str, Array]:
        """See `lamina.interop.wgpu.run`."""
        outputs = outputs or {}
        buffers = self._buffers(inputs, outputs)
        encoder = self._device.create_command_encoder()
        for number, dispatch in enumerate(self._header["dispatches"]):
            pipeline, layout = self._pipelines[dispatch["module"]]
            bound: list[Any] = [self._params[number]] if self._params[number] is not None else []
            bound += [buffers[at] for at in dispatch["buffers"]]
            entries = [
                {"binding": at, "resource": {"buffer": buffer, "offset": 0, "size": buffer.size}}
                for at, buffer in enumerate(bound)
            ]
            step = encoder.begin_compute_pass()
            step.set_pipeline(pipeline)
            step.set_bind_group(0, self._device.create_bind_group(layout=layout, entries=entries))
            step.dispatch_workgroups(*dispatch["workgroups"])
            step.end()
        self._device.queue.submit([encoder.finish()])
        self._check_status(buffers)
        return {
            io["name"]: self._read(buffers[io["buffer"]], io)
            for io in self._header["outputs"]
            if io["name"] not in outputs
        }

    def _buffers(self, inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> dict[int, Any]:
        """Every buffer of the program by its number."""
        found = dict(self._constants)
        for what, given, declared in (
            ("input", inputs, self._header["inputs"]),
            ("output", outputs, self._header["outputs"]),
        ):
            names = [io["name"] for io in declared]
            for name in given:
                if name not in names:
                    raise ArgumentError(f"interop.wgpu: no {what} '{name}'; there are: {', '.join(names)}")
            for io in declared:
                if io["name"] in given:
                    found[io["buffer"]] = self._input(io, given[io["name"]])
                elif what == "input":
                    raise ArgumentError(f"interop.wgpu: the input '{io['name']}' is missing")
        usage = "STORAGE | COPY_SRC | COPY_DST"
        for number, buffer in enumerate(self._header["buffers"]):
            if number not in found:
                size = max(4, -(-buffer["bytes"] // 4) * 4)
                found[number] = self._device.create_buffer(size=size, usage=usage)
        return found

    def _input(self, io: dict[str, Any], value: Any) -> Any:
        if isinstance(value, self._wgpu.GPUBuffer):
            return value
        array = np.ascontiguousarray(value, np.dtype(io["dtype"]))
        if list(array.shape) != io["shape"]:
            raise ArgumentError(
                f"interop.wgpu: '{io['name']}' has shape {array.shape}, the program's is {tuple(io['shape'])}"
            )
        return self._upload(array.tobytes(), "STORAGE")

    def _check_status(self, buffers: dict[int, Any]) -> None:
        status = self._header["status"]
        if status is None:
            return
        word = np.frombuffer(self._device.queue.read_buffer(buffers[status]), np.uint32)
        if word.any():
            raise _lamina.IndexError("interop.wgpu: an index was out of range while the program ran")

    def _read(self, buffer: Any, io: dict[str, Any]) -> Array:
        data = self._device.queue.read_buffer(buffer)
        count = int(np.prod(io["shape"]))
        return np.frombuffer(data, np.dtype(io["dtype"]), count).reshape(io["shape"])
