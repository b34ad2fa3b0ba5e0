"""What a training run is told, validated; read from a YAML file with `key=value` overrides. Loads no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

from napari_brainseg.base.errors import TrainingError


@dataclass(frozen=True)
class TrainingSettings:
    """One training run.

    Attributes:
        name: Name of the model.
        title: One line on what it is for.
        data: Folder of labelled cases.
        split: The JSON file of splits.
        split_name: Which split of the file.
        out: Folder of the run: checkpoint, log and the finished model.
        channels: Image channels in network order.
        scheme: Label scheme of the result.
        outputs: Regions (a sigmoid each, outermost first), or classes behind `background` (a softmax).
        source: What the data are and their licence, for the card.
        network: Name in the registry.
        options: The network's options.
        preprocessing: Options of `Preprocessing`.
        augmentation: Options of `AugmentationSettings`.
        size: (H, W) of the training slices, cropped or padded about the middle.
        phantoms: Synthetic cases that are mixed in.
        empty_share: Slices without tumour drawn each epoch, as a share of those with tumour.
        epochs: Passes over the drawn slices.
        batch: Slices a step.
        rate: Highest learning rate of the one-cycle schedule.
        weight_decay: Of AdamW.
        seed: Of weights, order and augmentation.
        device: `auto`, `cpu`, `cuda` …
    """

    name: str
    title: str
    data: Path
    split: Path
    split_name: str
    out: Path
    channels: tuple[str, ...]
    scheme: str
    outputs: tuple[str, ...]
    source: str = ""
    network: str = "unext"
    options: Mapping[str, Any] = field(default_factory=dict)
    preprocessing: Mapping[str, Any] = field(default_factory=dict)
    augmentation: Mapping[str, Any] = field(default_factory=dict)
    size: tuple[int, int] = (256, 256)
    phantoms: int = 0
    empty_share: float = 1.0
    epochs: int = 20
    batch: int = 16
    rate: float = 2e-3
    weight_decay: float = 1e-2
    seed: int = 1
    device: str = "auto"

    def __post_init__(self) -> None:
        for name in ("epochs", "batch", "rate"):
            if getattr(self, name) <= 0:
                raise TrainingError(f"{name} is {getattr(self, name)}; it must be above 0.")


def read_settings(path: Path, overrides: Sequence[str] = ()) -> TrainingSettings:
    """Read settings from a YAML file; `overrides` such as `epochs=3` win.

    Relative paths in the file start at the current folder, as those in overrides do.

    Raises:
        TrainingError: The file cannot be read, or a key is unknown (the nearest known one is named) or missing.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise TrainingError(f"{path} cannot be read as YAML ({error}).") from error
    if not isinstance(values, dict):
        raise TrainingError(f"{path} holds no settings; it needs lines such as 'epochs: 20'.")
    for override in overrides:
        key, equals, value = override.partition("=")
        if not equals:
            raise TrainingError(f"{override!r} is not of the form key=value.")
        values[key] = yaml.safe_load(value)
    known = {f.name for f in fields(TrainingSettings)}
    for key in values:
        if key not in known:
            near = get_close_matches(key, known, n=1)
            raise TrainingError(f"There is no setting {key!r}.{f' Did you mean {near[0]!r}?' if near else ''}")
    for key in ("data", "split", "out"):
        if key in values:
            values[key] = Path(values[key])
    for key in ("channels", "outputs", "size"):
        if key in values:
            values[key] = tuple(values[key])
    if isinstance(values.get("rate"), str):  # YAML reads 2e-3 as text
        values["rate"] = float(values["rate"])
    try:
        return TrainingSettings(**values)
    except TypeError as error:
        raise TrainingError(f"{path}: {str(error).removeprefix('TrainingSettings.__init__() ')}.") from error
