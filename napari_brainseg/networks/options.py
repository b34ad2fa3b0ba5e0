"""What the networks written here are built with: frozen options, checked before a layer is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from typing import Any, TypeVar

_Options = TypeVar("_Options")

# A whole number is taken where a fraction is asked for; True and False are no numbers.
_KINDS: Mapping[str, tuple[type, ...]] = {"int": (int,), "float": (float, int), "bool": (bool,), "str": (str,)}


@dataclass(frozen=True)
class BlockOptions:
    """The options that the U-shaped networks share.

    Attributes:
        convs_per_block: 3 x 3 convolutions of each block, 1 or more.
        batch_norm: Batch norm beside every 3 x 3 convolution.
        base_width: Channels of the first stage; each further stage has twice as many.
        dropout: Share of values dropped at the end of each block, 0 to below 1.
        dilation: Of every 3 x 3 convolution of a block; it adds no parameters.
        bridge: Whether the deepest stage has layers; without, the deepest pooled features go straight up.
    """

    convs_per_block: int = 2
    batch_norm: bool = False
    base_width: int = 64
    dropout: float = 0.0
    dilation: int = 1
    bridge: bool = True

    def __post_init__(self) -> None:
        for name in ("convs_per_block", "base_width", "dilation"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be 1 or more, not {getattr(self, name)}")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout must be from 0 to below 1, not {self.dropout}")


def parsed(kind: type[_Options], options: Mapping[str, Any]) -> _Options:
    """Return the options as the dataclass `kind`.

    Raises:
        TypeError: `kind` has no such option, or it is of another type.
        ValueError: An option is out of its range.
    """
    known = {field.name: str(field.type) for field in fields(kind)}  # type: ignore[arg-type]
    for name, value in options.items():
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise TypeError(f"there is no option {name!r}; {hint}it takes {', '.join(known)}")
        kinds = _KINDS.get(known[name])
        if kinds and (not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds)):
            raise TypeError(f"{name} must be of type {known[name]}, not {value!r}")
    return kind(**options)


def one_of(name: str, value: str, choices: tuple[str, ...]) -> None:
    """Raise `ValueError` unless `value` is among the choices of option `name`."""
    if value not in choices:
        raise ValueError(f"{name} must be {' or '.join(choices)}, not {value!r}")


def only_slices(name: str, spatial_dims: int) -> None:
    """Raise `TypeError` for a network that is asked to take volumes and cannot."""
    if spatial_dims != 2:
        raise TypeError(f"{name} is a network for slices (spatial_dims=2)")
