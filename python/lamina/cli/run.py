"""`lamina run`: an ONNX model on pictures or arrays."""

from __future__ import annotations

import io
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from rich.console import Console

from lamina import onnx, pictures
from lamina._lamina import ArgumentError, Model, write_file
from lamina.cli import binding, profiling
from lamina.cli.tables import table
from lamina.decoders.detections import Detections

if TYPE_CHECKING:
    from PIL.Image import Image

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Settings:
    """The options of `lamina run`."""

    resize: str | None = None
    mean: str = "0"
    std: str = "1"
    layout: str | None = None
    order: str = "rgb"
    decoder: str | None = None
    bind: list[str] | None = None
    out: Path | None = None
    device: str = "auto"
    explain: bool = False
    profile: bool = False
    trace: Path | None = None


@dataclass(frozen=True)
class Job:
    """One run: arrays by input name, and the picture among them."""

    name: str
    arrays: dict[str, Array]
    picture: Image | None
    input_size: tuple[int, int]


def run_model(path: Path, inputs: list[str], settings: Settings) -> None:
    """Run the model on every input, print what came out, write it where asked.

    Raises:
        LaminaError: Anything that does not fit, said in one line.
    """
    decoder = binding.decoder(settings.decoder) if settings.decoder else None
    if settings.bind and decoder is None:
        raise ArgumentError("--bind wants a --decoder")
    started = time.perf_counter()
    model = onnx.load(path, device=settings.device)
    loaded = time.perf_counter() - started
    jobs = _jobs(model, inputs, settings)
    console = Console()
    for job in jobs:
        results = model.run(job.arrays)
        if decoder is None:
            _print_outputs(console, job, results)
            _write(settings, jobs, job, results, None)
            continue
        answer = decoder(**binding.pick(results, decoder.inputs, settings.bind or []))
        if isinstance(answer, Detections):
            answer = _in_picture(answer, job)
            console.print(f"{job.name}: {len(answer)} found")
        else:
            console.print(f"{job.name}: {answer}")
        _write(settings, jobs, job, results, answer)
    if settings.explain:
        console.print(str(model.explain(jobs[0].arrays)))
    if settings.profile or settings.trace is not None:
        _profile(console, model, jobs[0], loaded, settings)


def _profile(console: Console, model: Model, job: Job, loaded: float, settings: Settings) -> None:
    times = profiling.time_runs(model, job.arrays)
    # As many again, but not so many that the trace grows unwieldy.
    profile = model.profile(job.arrays, runs=min(len(times), 20))
    if settings.profile:
        profiling.print_times(console, model, loaded, times)
        profiling.print_profile(console, profile)
    if settings.trace is not None:
        profile.save(settings.trace)


def _jobs(model: Model, inputs: list[str], settings: Settings) -> list[Job]:
    named = [text.partition("=") for text in inputs]
    if len(model.inputs) == 1:
        name = model.inputs[0].name
        files = [
            Path(after if before == name and equals else text)
            for text, (before, equals, after) in zip(inputs, named, strict=True)
        ]
        return [_job(model, {name: file}, str(file), settings) for file in files]
    wanted = [info.name for info in model.inputs]
    if any(not equals or name not in wanted for name, equals, _ in named):
        raise ArgumentError(f"the model has several inputs, write NAME=FILE for each: {', '.join(wanted)}")
    files_by_name = {name: Path(file) for name, _, file in named}
    missing = [name for name in wanted if name not in files_by_name]
    if missing:
        raise ArgumentError(f"no file for the model's inputs: {', '.join(missing)}")
    return [_job(model, files_by_name, path_names(files_by_name), settings)]


def path_names(files: dict[str, Path]) -> str:
    """The files of one run as a title."""
    return ", ".join(f"{name}={file}" for name, file in files.items())


def _job(model: Model, files: dict[str, Path], title: str, settings: Settings) -> Job:
    arrays: dict[str, Array] = {}
    picture, input_size = None, (0, 0)
    for info in model.inputs:
        file = files[info.name]
        if not file.is_file():
            raise ArgumentError(f"no such file: '{file}'")
        dtype = np.dtype(info.dtype.name if info.dtype is not None else "float32")
        shape = info.shape or ()
        if file.suffix.lower() in pictures.SUFFIXES:
            picture = pictures.read(file)
            array = _picture_array(picture, shape, settings)
            layout = _layout(shape, settings)
            input_size = array.shape[2:4] if layout == "nchw" else array.shape[1:3]
        else:
            array = _load_array(file, info.name)
        arrays[info.name] = array.astype(dtype)
    return Job(title, arrays, picture, (int(input_size[0]), int(input_size[1])))


def _layout(shape: tuple[int | str, ...], settings: Settings) -> str:
    if settings.layout is not None:
        if settings.layout.lower() not in ("nchw", "nhwc"):
            raise ArgumentError(f"--layout {settings.layout}: wanted nchw or nhwc")
        return settings.layout.lower()
    return "nhwc" if len(shape) == 4 and shape[3] in (1, 3) and shape[1] not in (1, 3) else "nchw"


def _picture_array(picture: Image, shape: tuple[int | str, ...], settings: Settings) -> Array:
    if len(shape) != 4:
        raise ArgumentError(f"a picture is a batch of 4 axes; the model's input has shape {shape}")
    if settings.order not in ("rgb", "bgr", "grey"):
        raise ArgumentError(f"--order {settings.order}: wanted rgb, bgr or grey")
    layout = _layout(shape, settings)
    height, width = (shape[2], shape[3]) if layout == "nchw" else (shape[1], shape[2])
    channels = shape[1] if layout == "nchw" else shape[3]
    wanted = binding.size(settings.resize) if settings.resize else None
    if wanted is None and isinstance(height, int) and isinstance(width, int):
        wanted = (height, width)
    return pictures.to_array(
        picture,
        wanted,
        binding.numbers(settings.mean, "mean"),
        binding.numbers(settings.std, "std"),
        layout,
        "grey" if channels == 1 else settings.order,
    )


def _load_array(file: Path, name: str) -> Array:
    try:
        loaded = np.load(file, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise ArgumentError(f"cannot read '{file}' as .npy or .npz: {error}") from error
    if isinstance(loaded, np.ndarray):
        return loaded
    with loaded:
        if name in loaded:
            return np.asarray(loaded[name])
        if len(loaded.files) == 1:
            return np.asarray(loaded[loaded.files[0]])
        raise ArgumentError(f"'{file}' holds {', '.join(loaded.files)}, none named '{name}'")


def _in_picture(found: Detections, job: Job) -> Detections:
    """Boxes in pixels of the picture, from shares of it (all within 0..1 or nearly) or input pixels."""
    if job.picture is None or len(found) == 0:
        return found
    width, height = job.picture.size
    shares = float(np.abs(found.boxes).max()) <= 2.0
    rows, columns = (1, 1) if shares else job.input_size
    scale = np.array([width / columns, height / rows] * 2, found.boxes.dtype)
    return Detections(found.boxes * scale, found.scores, found.labels, found.indices)


def _print_outputs(console: Console, job: Job, results: dict[str, Array]) -> None:
    made = table(job.name, ("output", "shape", "dtype", "min", "mean", "max", "best"))
    for name, array in results.items():
        figures = ["-"] * 3
        if array.size and array.dtype.kind in "fiu":
            wide = array.astype(np.float64)
            figures = [f"{v:.5g}" for v in (wide.min(), wide.mean(), wide.max())]
        flat = array.reshape(-1)
        classes = array.ndim >= 2 and flat.size == max(array.shape) and flat.size > 1
        best = " ".join(f"{i}:{flat[i]:.3g}" for i in np.argsort(-flat)[:5]) if classes else ""
        made.add_row(name, str(array.shape), array.dtype.name, *figures, best)
    console.print(made)


def _write(settings: Settings, jobs: list[Job], job: Job, results: dict[str, Array], answer: object) -> None:
    if settings.out is None:
        return
    target = settings.out
    if len(jobs) > 1:
        if target.suffix:
            raise ArgumentError(f"-o {target}: several inputs want a folder")
        suffix = ".png" if isinstance(answer, Detections) and job.picture is not None else ".npz"
        target = target / (Path(job.name).stem + suffix)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _write_one(target, job, results, answer)
    except OSError as error:
        raise ArgumentError(f"cannot write '{target}': {error.strerror or error}") from error


def _write_one(target: Path, job: Job, results: dict[str, Array], answer: object) -> None:
    suffix = target.suffix.lower()
    if suffix == ".npz":
        packed = io.BytesIO()
        np.savez(packed, **results)  # type: ignore[arg-type]
        write_file(target, packed.getvalue())
    elif suffix == ".json":
        plain = answer.to_json() if isinstance(answer, Detections) else answer
        if answer is None:
            plain = {name: array.tolist() for name, array in results.items()}
        write_file(target, (json.dumps(plain, default=_plain) + "\n").encode())
    elif suffix in pictures.SUFFIXES:
        if job.picture is None or not isinstance(answer, Detections):
            raise ArgumentError(
                f"-o {target}: a picture wants a picture as input and a decoder that finds boxes"
            )
        pictures.write(pictures.with_boxes(job.picture, answer), target)
    else:
        raise ArgumentError(f"-o {target}: wanted a picture, .npz or .json")


def _plain(value: object) -> Any:
    """NumPy's values as JSON's."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    raise ArgumentError(f"a {type(value).__name__} cannot be written as JSON")
