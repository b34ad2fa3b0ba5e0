"""Values as YAML gives them, and whether they have the types of their settings. Loads no torch."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from napari_brainseg.base.errors import TrainingError

_EXPONENT = re.compile(r"[-+]?\d+e[-+]?\d+", re.IGNORECASE)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return (_is_whole(value) or isinstance(value, float)) and math.isfinite(value)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_options(value: Any) -> bool:
    return isinstance(value, Mapping) and all(isinstance(key, str) for key in value)


def _are(each: Callable[[Any], bool], count: int = 0) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, tuple) and all(map(each, value)) and len(value) in (count or len(value),)


# How a dataclass writes a type -> (whether a value has it, in words)
_TYPES: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "str": (_is_text, "text"),
    "bool": (lambda value: isinstance(value, bool), "true or false"),
    "int": (_is_whole, "a whole number"),
    "float": (_is_number, "a number"),
    "Path": (lambda value: isinstance(value, Path), "the path of a file or folder"),
    "Path | None": (lambda value: value is None or isinstance(value, Path), "the path of a file or folder"),
    "tuple[str, ...]": (_are(_is_text), "a list of names, such as [flair, t1]"),
    "tuple[int, ...]": (_are(_is_whole), "a list of whole numbers, such as [256, 256]"),
    "float | tuple[float, ...]": (
        lambda value: _is_number(value) or _are(_is_number)(value),
        "a number, or a list of numbers, such as [0.4, 0, 0.4]",
    ),
    "tuple[float, float]": (_are(_is_number, 2), "two numbers, such as [0.5, 99.5]"),
    "Mapping[str, Any]": (_is_options, "options by name, such as {dropout: 0.2}"),
    "Mapping[str, Mapping[str, Any]]": (
        lambda value: _is_options(value) and all(map(_is_options, value.values())),
        "losses by name with their options, such as {bce_dice: {dice: 2}}",
    ),
}


def check_type(name: str, kind: str, value: Any) -> None:
    """Raise `TrainingError` where a value does not have the type that its dataclass writes as `kind`."""
    fits, words = _TYPES[kind]
    if not fits(value):
        shown = list(value) if isinstance(value, tuple) else value
        raise TrainingError(f"{name} is {shown!r}; it must be {words}.")


def typed(kind: str, value: Any) -> Any:
    """Return a YAML value in the type of its setting where that is plain; `check_type` refuses what is left.

    YAML reads 2e-3 as text and 2018 as a number, and has lists where we have tuples.
    """
    if kind in ("str", "Path", "Path | None") and _is_number(value):
        value = str(value)
    if kind.startswith("Path") and isinstance(value, str):
        return Path(value) if value else None
    if "tuple" in kind and isinstance(value, list):
        return tuple(value)
    if kind == "tuple[str, ...]" and isinstance(value, str):
        return (value,)
    if kind == "Mapping[str, Mapping[str, Any]]":
        value = {value: {}} if isinstance(value, str) else value
        named = isinstance(value, dict)
        return {name: with_numbers(o if o is not None else {}) for name, o in value.items()} if named else value
    if kind.startswith("float") and isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return with_numbers(value) if kind.startswith("Mapping") else value


def with_numbers(value: Any) -> Any:
    """Return options in which numbers such as 1e-5, which YAML reads as text, are numbers."""
    if isinstance(value, dict):
        return {key: with_numbers(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [with_numbers(inner) for inner in value]
    return float(value) if isinstance(value, str) and _EXPONENT.fullmatch(value) else value
