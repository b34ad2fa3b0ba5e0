"""What a machine has learned of a model and need not find out again: in the process, and in a small file."""

from __future__ import annotations

import json
from itertools import count
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import nn

from napari_brainseg.base.errors import OutputError
from napari_brainseg.base.paths import user_data, write_text
from napari_brainseg.inference.devices import name_of

_MOST = 200  # models and devices that the file keeps
_NUMBERS: WeakKeyDictionary[nn.Module, int] = WeakKeyDictionary()
_NEXT = count()
_FACTS: dict[str, dict[str, Any]] = {}


def key_of_network(network: nn.Module) -> str:
    """Return a key for a network that lies in no file; it holds for this process."""
    return f"memory {_NUMBERS.setdefault(network, next(_NEXT))}"


def key_of_run(models: list[str], device: torch.device) -> str:
    """Return the key of models on a device, with the version of torch."""
    return f"{' + '.join(models)} on {name_of(device)}, torch {torch.__version__}"


def recall(key: str, fact: str) -> Any:
    """Return what is remembered, or None."""
    facts = _FACTS.get(key) or _read().get(key, {})
    return facts.get(fact)


def remember(key: str, fact: str, value: Any) -> None:
    """Keep a fact; of a network in no file for the process only."""
    if key.startswith("memory "):
        _FACTS.setdefault(key, {})[fact] = value
        return
    known = _read()
    facts = known.pop(key, {})
    known[key] = {**facts, fact: value}
    try:
        write_text(_path(), json.dumps(dict(list(known.items())[-_MOST:]), indent=1) + "\n")
    except OutputError:
        _FACTS[key] = known[key]  # it is found out again in the next process


def _path() -> Path:
    return user_data() / "cache" / "inference.json"


def _read() -> dict[str, dict[str, Any]]:
    """Return the file's facts; nothing where there is none or it is damaged, since all can be found out again."""
    try:
        known = json.loads(_path().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {k: v for k, v in known.items() if isinstance(v, dict)} if isinstance(known, dict) else {}
