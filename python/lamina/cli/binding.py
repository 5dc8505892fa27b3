"""The little languages of `--decoder`, `--bind`, `--resize` and `--mean`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from lamina import registry
from lamina._lamina import ArgumentError

Part: TypeAlias = int | slice | type(...)  # type: ignore[valid-type]


def numbers(text: str, option: str) -> list[float]:
    """Numbers between commas: 127, or 103.94,116.78,123.68."""
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise ArgumentError(f"--{option} {text}: wanted numbers between commas") from None


def size(text: str) -> tuple[int, int]:
    """Height and width from HEIGHTxWIDTH, such as 240x320."""
    found = re.fullmatch(r"(\d+)x(\d+)", text)
    if not found:
        raise ArgumentError(f"--resize {text}: wanted HEIGHTxWIDTH, such as 240x320")
    return int(found[1]), int(found[2])


def _value(text: str) -> float | int | bool | str | None:
    words: dict[str, bool | None] = {"true": True, "false": False, "none": None}
    if text.lower() in words:
        return words[text.lower()]
    for convert in (int, float):
        try:
            return convert(text)
        except ValueError:
            continue
    return text


def decoder(text: str) -> Any:
    """A decoder from NAME:keyword=value,...: the constructor's own keywords.

    Raises:
        RegistryError: There is no such decoder.
        ArgumentError: The text cannot be read, or the constructor refuses.
    """
    name, _, rest = text.partition(":")
    keywords: dict[str, Any] = {}
    for part in filter(None, rest.split(",")):
        key, equals, value = part.partition("=")
        if not equals:
            raise ArgumentError(f"--decoder {text}: '{part}' is no keyword=value")
        keywords[key.strip()] = _value(value.strip())
    made = registry.get("decoder", name)
    try:
        return made(**keywords)
    except TypeError as error:
        raise ArgumentError(f"--decoder {text}: {error}") from error


def _part(text: str, whole: str) -> Part:
    text = text.strip()
    if text == "...":
        return ...
    try:
        if ":" in text:
            return slice(*(int(p) if p.strip() else None for p in text.split(":")))
        return int(text)
    except (ValueError, TypeError):
        raise ArgumentError(f"--bind {whole}: '{text}' is no index or slice") from None


def bindings(texts: list[str]) -> dict[str, tuple[str, tuple[Part, ...]]]:
    """For each INPUT=OUTPUT[index,...], the output's name and index by the input's name."""
    found: dict[str, tuple[str, tuple[Part, ...]]] = {}
    for text in texts:
        matched = re.fullmatch(r"([A-Za-z_]\w*)=(.+?)(?:\[([^\[\]]+)\])?", text)
        if not matched:
            raise ArgumentError(f"--bind {text}: wanted INPUT=OUTPUT or INPUT=OUTPUT[:,:,1]")
        name, output, index = matched.groups()
        if name in found:
            raise ArgumentError(f"--bind {text}: '{name}' is bound twice")
        found[name] = (output, tuple(_part(p, text) for p in index.split(",")) if index else ())
    return found


def pick(
    outputs: Mapping[str, npt.NDArray[Any]], wanted: tuple[str, ...], texts: list[str]
) -> dict[str, npt.NDArray[Any]]:
    """What a decoder gets: bound outputs, else outputs of the inputs' own names.

    Raises:
        ArgumentError: An input is not bound, or names no output of the model.
    """
    bound = bindings(texts)
    for name in bound:
        if name not in wanted:
            raise ArgumentError(f"--bind {name}=...: the decoder's inputs are: {', '.join(wanted)}")
    picked = {}
    for name in wanted:
        output, index = bound.get(name, (name, ()))
        if output not in outputs:
            raise ArgumentError(
                f"the decoder's input '{name}' wants the output '{output}'; the model has: "
                f"{', '.join(outputs)}; bind one with --bind {name}=OUTPUT"
            )
        try:
            picked[name] = np.asarray(outputs[output][index])
        except LookupError as error:
            raise ArgumentError(f"--bind {name}={output}: {error}") from error
    return picked
