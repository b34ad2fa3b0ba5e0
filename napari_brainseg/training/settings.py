"""What a training run is told, validated; read from a YAML file with `key=value` overrides. Loads no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

from napari_brainseg.base.errors import TrainingError
from napari_brainseg.training.setting_values import check_type, typed

_CHOICES = {
    "sampling": ("slices", "patches"),
    "cache": ("memory", "device", "disk", "none"),
    "precision": ("auto", "32-true", "bf16-mixed", "16-mixed"),
    "highlight": ("", "join", "replace"),
    "strategy": ("auto", "ddp", "fsdp"),
}
_ABOVE_ZERO = (
    "epochs",
    "highlight_epochs",
    "batch",
    "rate",
    "accumulate",
    "devices",
    "nodes",
    "oversample",
    "data_share",
)
_TAKEN = ("cache", "curves.png", "last.pt", "log.csv", "mlflow", "pictures", "settings.json", "tensorboard", "wandb")
_SEEDS = 10**12  # the seeds of the epochs, a million times as large, still fit in 64 bits
_NOT_BELOW_ZERO = ("empty_share", "phantoms", "weight_decay", "clip", "patience", "least_tumour", "central_slices")


@dataclass(frozen=True)
class TrainingSettings:
    """One training run.

    Attributes:
        name: Name of the model.
        title: One line on what it is for.
        data: Folder of labelled cases.
        labels: Folder with other labels of these cases, such as one that the workbench exported to; by default those
            beside the images.
        split: The JSON file of splits.
        split_name: Which split of the file.
        out: Folder of the run: checkpoint, log and the finished model.
        channels: Image channels in network order.
        scheme: Label scheme of the result.
        outputs: Regions (a sigmoid each, outermost first), or classes behind `background` (a softmax).
        source: What the data are and their licence, for the card.
        network: Name in the registry.
        options: The network's options.
        start_from: Name or folder of a model whose weights the run begins with; empty for a fresh network.
        imagenet: The encoder begins with weights from ImageNet; of `network: efficientnet_unet` alone. Needs the
            extra `imagenet`.
        loss: Losses by name with their options, `weight` among them; their weighted sum is minimised. Empty: BCE plus
            Dice for regions, cross-entropy plus Dice for classes.
        optimizer: Name of the optimizer.
        optimizer_options: Its options besides rate and weight decay.
        schedule: How the rate goes on: `none`, `step`, `one_cycle` …
        schedule_options: Its options.
        preprocessing: Options of `Preprocessing`.
        post_processing: Rules for the labels that the model recommends, see `inference.postprocessing`.
        highlight: `join` or `replace`: a small network draws the tumour into an image that joins or replaces the input.
        highlight_epochs: Passes over the slices with which it is trained.
        mask_edges: Draw the edges of the true masks into the training images (first stage of the edge transfer).
        augmentation: Options of `AugmentationSettings`.
        sampling: `slices` for 2-D networks, `patches` for 3-D ones.
        size: (H, W) of the training slices, cropped or padded about the middle; (D, H, W) of patches.
        cache: Where prepared slices wait: `memory`, `device`, `disk`, or `none` (prepared anew whenever drawn).
        phantoms: Synthetic cases that are mixed in.
        data_share: Share of the training patients that is used.
        least_tumour: Slices with fewer tumour pixels (but some) are left out.
        central_slices: Slices kept around the middle of the tumour of each case; 0 keeps all.
        empty_share: Slices without tumour drawn each epoch, as a share of those with tumour; for patches, patches
            about any voxel as a share of those about a tumour voxel.
        oversample: How often each slice with tumour (or patch of a case) is drawn in an epoch.
        epochs: Passes over the drawn slices.
        batch: Slices or patches a step, over all processes together.
        accumulate: Batches whose gradients are added up for one step of the optimizer.
        rate: Highest learning rate.
        weight_decay: Of the optimizer.
        clip: Largest norm of the gradient; 0 for no limit.
        average: Decay of the exponential moving average of the weights; 0 for none.
        monitor: Validation score that chooses the best epoch, see `monitoring.score`.
        choose: Which epoch's weights become the model: the `best` by that score, or the `last`, which is the better
            choice where few cases validate and the rate has come down.
        patience: Epochs without a better score after which the run stops; 0 for never.
        seed: Of weights, order and augmentation.
        device: `auto`, `cpu`, `cuda` …
        devices: Processes (GPUs) on each machine.
        nodes: Machines.
        strategy: How processes work together: `auto`, `ddp`, `fsdp`.
        precision: `auto`, `32-true`, `bf16-mixed` or `16-mixed`.
        trackers: Trackers besides CSV and TensorBoard: `wandb`, `mlflow`.
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
    labels: Path | None = None
    network: str = "unext"
    options: Mapping[str, Any] = field(default_factory=dict)
    start_from: str = ""
    imagenet: bool = False
    loss: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    optimizer: str = "adamw"
    optimizer_options: Mapping[str, Any] = field(default_factory=dict)
    schedule: str = "one_cycle"
    schedule_options: Mapping[str, Any] = field(default_factory=dict)
    preprocessing: Mapping[str, Any] = field(default_factory=dict)
    post_processing: Mapping[str, Any] = field(default_factory=dict)
    highlight: str = ""
    highlight_epochs: int = 5
    mask_edges: bool = False
    augmentation: Mapping[str, Any] = field(default_factory=dict)
    sampling: str = "slices"
    size: tuple[int, ...] = (256, 256)
    cache: str = "memory"
    phantoms: int = 0
    data_share: float = 1.0
    least_tumour: int = 0
    central_slices: int = 0
    empty_share: float = 1.0
    oversample: int = 1
    epochs: int = 20
    batch: int = 16
    accumulate: int = 1
    rate: float = 2e-3
    weight_decay: float = 1e-2
    clip: float = 5.0
    average: float = 0.0
    monitor: str = "dice"
    choose: str = "best"
    patience: int = 0
    seed: int = 1
    device: str = "auto"
    devices: int = 1
    nodes: int = 1
    strategy: str = "auto"
    precision: str = "auto"
    trackers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for setting in fields(self):
            check_type(setting.name, str(setting.type), getattr(self, setting.name))
        for name in (*_ABOVE_ZERO, *_NOT_BELOW_ZERO):
            value = getattr(self, name)
            if value < 0 or (value == 0 and name in _ABOVE_ZERO):
                bound = "above 0" if name in _ABOVE_ZERO else "0 or more"
                raise TrainingError(f"{name} is {value}; it must be {bound}.")
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                raise TrainingError(
                    f"{name} is {getattr(self, name)!r}; choose {', '.join(c or 'none' for c in choices)}."
                )
        if self.data_share > 1 or not 0 <= self.average < 1:
            raise TrainingError("data_share is at most 1, and average is 0 or more and below 1.")
        if not -_SEEDS <= self.seed <= _SEEDS:
            raise TrainingError(f"seed is {self.seed}; it must be between {-_SEEDS} and {_SEEDS}.")
        if self.name in ("", ".", "..", *_TAKEN) or Path(self.name).name != self.name:
            raise TrainingError(f"name is {self.name!r}; a folder in 'out' gets it, so choose another, without '/'.")
        for name in ("channels", "outputs"):
            given = getattr(self, name)
            if not given or len(set(given)) < len(given):
                raise TrainingError(f"{name} is {list(given)}; it must have one name or more, each once.")
        if self.choose not in ("best", "last"):
            raise TrainingError(f"choose is {self.choose!r}; it must be best or last.")
        if self.choose == "last" and self.patience:
            raise TrainingError("With choose=last no epoch is waited for. Set patience=0, or choose=best.")
        if self.imagenet and self.start_from:
            raise TrainingError("A run begins with imagenet or with start_from. Leave one of them out.")
        if self.strategy == "fsdp" and self.average:
            raise TrainingError("A moving average of the weights cannot be kept with strategy=fsdp. Set average=0.")
        if self.highlight and (self.sampling != "slices" or self.preprocessing.get("neighbours")):
            raise TrainingError("A highlighter draws single slices. Set sampling=slices and no neighbours.")
        if self.augmentation.get("paste") and self.sampling != "slices":
            raise TrainingError("Tumours are pasted into slices alone. Set sampling=slices, or augmentation.paste=0.")
        dimensions = 3 if self.sampling == "patches" else 2
        if len(self.size) != dimensions:
            raise TrainingError(f"size has {len(self.size)} numbers; {self.sampling} need {dimensions}.")
        if min(self.size) < 1:
            raise TrainingError(f"size is {list(self.size)}; its numbers must be above 0.")
        if self.batch % (self.devices * self.nodes):
            raise TrainingError(f"A batch of {self.batch} cannot be shared by {self.devices * self.nodes} processes.")

    @property
    def spatial_dims(self) -> int:
        """2 for slices, 3 for patches."""
        return len(self.size)


def without_place(model: str) -> str:
    """Return a model's name or folder without the place on this machine, which is its affair and not the model's."""
    return f"FOLDER/{Path(model).name}" if Path(model).expanduser().is_absolute() else model


def read_settings(path: Path, overrides: Sequence[str] = ()) -> TrainingSettings:
    """Read settings from a YAML file; `overrides` such as `epochs=3` or `augmentation.noise=0` win.

    Relative paths in the file start at the current folder, as those in overrides do.

    Raises:
        TrainingError: The file cannot be read, or a key is unknown (the nearest known one is named) or missing, or
            has a value that it cannot have.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise TrainingError(f"{path} cannot be read as YAML ({_one_line(error)}).") from error
    if not isinstance(values, dict):
        raise TrainingError(f"{path} holds no settings; it needs lines such as 'epochs: 20'.")
    for override in overrides:
        _apply(override, values)
    known = {f.name: f for f in fields(TrainingSettings)}
    for key, value in values.items():
        if key not in known:
            near = get_close_matches(str(key), known, n=1)
            raise TrainingError(f"There is no setting {key!r}.{f' Did you mean {near[0]!r}?' if near else ''}")
        if value is None and known[key].default and known[key].default_factory is MISSING:
            raise TrainingError(f"{key} has no value. Give it one, or leave its line out.")
    lacking = [n for n, f in known.items() if f.default is f.default_factory is MISSING and n not in values]
    if lacking:
        raise TrainingError(f"{path} lacks {', '.join(lacking)}. Add them there, or as {lacking[0]}=… behind it.")
    given = {key: typed(str(known[key].type), value) for key, value in values.items() if value is not None}
    return TrainingSettings(**given)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _apply(override: str, values: dict[str, Any]) -> None:
    key, equals, text = override.partition("=")
    if not equals:
        raise TrainingError(f"{override!r} is not of the form key=value.")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise TrainingError(f"The value of {override!r} cannot be read ({_one_line(error)}).") from error
    outer, dot, inner = key.partition(".")
    if not dot:
        values[key] = value
        return
    options = {} if values.get(outer) is None else values[outer]
    if isinstance(options, str) and outer == "loss":
        options = {options: {}}
    if not isinstance(options, dict):
        raise TrainingError(f"{override!r} sets an option of {outer}, which has none: it is {options!r}.")
    values[outer] = {**options, inner: value}
