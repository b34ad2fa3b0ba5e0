"""What a training run is made of, built from its settings: data, network, loss, processes and precision."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import warnings
from collections.abc import Callable, Generator, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from difflib import get_close_matches
from functools import partial
from importlib.metadata import version
from itertools import compress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from lightning_fabric.strategies.model_parallel import ModelParallelStrategy
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import fully_shard

from napari_brainseg import __version__
from napari_brainseg.base.errors import TrainingError
from napari_brainseg.base.paths import refuse_unwritable
from napari_brainseg.base.progress import Progress
from napari_brainseg.cases.case import Case
from napari_brainseg.cases.labels import scheme_by_id
from napari_brainseg.cases.phantom import make_lgg_phantom, make_volume_phantom
from napari_brainseg.cases.reading import CaseFiles, OpenOptions, read_case
from napari_brainseg.inference.decoding import is_softmax, to_targets
from napari_brainseg.inference.devices import fast_dtype, resolve_device
from napari_brainseg.model_store.domain import CaseFacts, Domain, measure_case
from napari_brainseg.model_store.ensembles import History, history_of
from napari_brainseg.model_store.model import new_network
from napari_brainseg.model_store.preprocessing import Preprocessing
from napari_brainseg.model_store.store import ModelRecord, find_model
from napari_brainseg.networks.highlighted import Highlighted, Highlighter
from napari_brainseg.training.augmentation import AugmentationSettings
from napari_brainseg.training.batches import SliceChoice, SliceSet, slice_set
from napari_brainseg.training.checking import check_settings
from napari_brainseg.training.first_weights import load_first_weights
from napari_brainseg.training.half_gradients import half_is_safe
from napari_brainseg.training.highlighting import highlight
from napari_brainseg.training.imagenet import load_imagenet
from napari_brainseg.training.loss_terms import create_loss, needs_frequencies
from napari_brainseg.training.patches import PatchSet
from napari_brainseg.training.prepared import (
    PreparedCase,
    Preparing,
    find_labelled,
    prepare_labelled,
    read_labelled,
    seen_along,
)
from napari_brainseg.training.setting_values import check_type, typed
from napari_brainseg.training.settings import TrainingSettings
from napari_brainseg.training.splits import read_split

# The shipped samples have low seeds: they stay unseen, so that they show what a model can do.
_FIRST_PHANTOM = 100


NOTE = "note: "  # begins a message of the progress that a person should read
Lacking = dict[str, tuple[str, ...]]


@dataclass(frozen=True, eq=False)
class Session:
    """A run's unchanging parts.

    `data` gives batches, `validation` whole cases, `highlighter` draws into both; `lacking` are the channels that cases
    do not have, by case; `history` is what is behind the weights that the run begins with.
    """

    settings: TrainingSettings
    record: ModelRecord
    augmentation: AugmentationSettings
    fabric: Fabric
    device: torch.device
    data: SliceSet | PatchSet
    validation: list[PreparedCase]
    loss: nn.Module
    highlighter: Highlighter | None = None
    lacking: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    history: History = field(default_factory=History)

    @property
    def shown_channel(self) -> int:
        """The channel that pictures show: FLAIR, on which all of the tumour is seen, else the first."""
        return self.record.channels.index("flair") if "flair" in self.record.channels else 0

    @property
    def stacked_slices(self) -> int:
        """How many slices each input of a 2-D network holds."""
        return 2 * self.record.preprocessing.neighbours + 1

    def targets(self, labels: Tensor) -> Tensor:
        """Return the training targets (N, K, *spatial) of labels (N, *spatial)."""
        return to_targets(labels, self.settings.outputs, self.record.scheme)

    def share(self, batch: Tensor) -> Tensor:
        """Return this process's part of a global batch."""
        whole = len(batch) - len(batch) % self.fabric.world_size  # every process gets as many as the others
        return batch[:whole][self.fabric.global_rank :: self.fabric.world_size]


def open_session(settings: TrainingSettings) -> Generator[Progress, None, Session]:
    """Read the data and build everything a run needs.

    Raises:
        TrainingError: Settings do not fit together, or data are missing.
        InputError: A case cannot be read or has no labels.
        OutputError: The folder of the run cannot be written.
    """
    augmentation = _options(AugmentationSettings, settings.augmentation, "augmentation")
    record = record_of(settings)
    check_settings(settings, record, loss_terms(settings))
    refuse_unwritable(settings.out)
    fabric = make_fabric(settings)
    if fabric.world_size > 1 or settings.devices * settings.nodes > 1:
        fabric.launch()
    lacking: Lacking = {}
    seen: dict[str, CaseFacts] = {}
    data, validation = yield from _read(settings, record, (fabric.device, fabric.global_rank), lacking, seen)
    if seen:
        domain = Domain.of(list(seen.values()), record.channels)
        record = replace(record, training={**record.training, "domain": domain.to_json()})
    if lacking:
        yield Progress(0, 0, lacking_in_words(lacking))
    history = history_of(find_model(settings.start_from)) if settings.start_from else History()
    known = sorted(history.cases.intersection(case.id for case in validation))
    if known:
        yield Progress(0, 0, _known_in_words(known, settings.start_from))
    highlighter = None
    if settings.highlight and isinstance(data, SliceSet):
        data, highlighter = yield from highlight(data, settings.highlight_epochs, settings.seed, fabric.device)
    frequencies = _frequencies(data, settings) if needs_frequencies(loss_terms(settings)) else None
    loss = create_loss(loss_terms(settings), softmax=is_softmax(settings.outputs), frequencies=frequencies)
    loss = loss.to(fabric.device)
    parts = (settings, record, augmentation, fabric, fabric.device, data, validation, loss)
    return Session(*parts, highlighter, lacking, history)


def loss_terms(settings: TrainingSettings) -> dict[str, dict[str, Any]]:
    """Return the losses of the settings, or those that suit the outputs."""
    if settings.loss:
        return {name: dict(options) for name, options in settings.loss.items()}
    return {"cross_entropy": {}, "soft_dice": {}} if is_softmax(settings.outputs) else {"bce_dice": {}}


def record_of(settings: TrainingSettings) -> ModelRecord:
    """Return the record of the model that these settings train."""
    augmentation = _options(AugmentationSettings, settings.augmentation, "augmentation")
    given, chances = augmentation.drop_channel, augmentation.channel_chances(len(settings.channels))
    if isinstance(given, tuple) and len(given) != len(settings.channels):
        raise TrainingError(
            f"augmentation.drop_channel has {len(given)} chances for {len(settings.channels)} channels; give one for "
            "each channel, or one number for all."
        )
    network = {"name": settings.network, "options": dict(settings.options)}
    if settings.highlight:
        network["highlight"] = settings.highlight
    return ModelRecord(
        name=settings.name,
        version="1",
        title=settings.title,
        network=network,
        channels=settings.channels,
        scheme_id=scheme_by_id(settings.scheme).id,
        outputs=settings.outputs,
        preprocessing=_options(Preprocessing, settings.preprocessing, "preprocessing"),
        trained_to_miss=tuple(compress(settings.channels, chances)),
        spatial_dims=settings.spatial_dims,
        window=settings.size if settings.spatial_dims == 3 else None,  # type: ignore[arg-type]
        post_processing=dict(settings.post_processing),
    )


def make_fabric(settings: TrainingSettings) -> Fabric:
    """Return the Fabric of a run: device, processes, and the precision that is fast and safe there."""
    device = resolve_device(settings.device)
    one = settings.devices * settings.nodes == 1
    devices: Any = [device.index] if one and device.index is not None else settings.devices
    strategy: Any = "ddp" if settings.strategy == "auto" and not one else settings.strategy
    if strategy == "fsdp":
        processes = settings.devices * settings.nodes
        strategy = ModelParallelStrategy(_share_out, data_parallel_size=processes, tensor_parallel_size=1)
    try:
        return Fabric(
            accelerator=device.type,
            devices=devices,
            num_nodes=settings.nodes,
            strategy=strategy,
            precision=_precision(settings, device),
        )
    except (ValueError, RuntimeError) as error:
        raise TrainingError(f"These devices or this strategy cannot be used: {str(error).splitlines()[0]}") from error


def _share_out(network: nn.Module, mesh: DeviceMesh) -> nn.Module:
    """Let the processes share out the weights of a network (FSDP, arXiv:2304.11277), all together: they are small."""
    # Small images are padded, and what comes out is a view of it; nobody changes that in place, as torch fears.
    warnings.filterwarnings("ignore", message=r"FSDP2-wrapped module .* returned a view tensor")
    for weight in network.parameters():
        weight.data = weight.data.contiguous()  # weights in channels_last order cannot be shared out
    fully_shard(network, mesh=mesh["data_parallel"])  # in place
    return network


def _precision(settings: TrainingSettings, device: torch.device) -> Any:
    if settings.precision != "auto":
        return settings.precision
    if os.environ.get("BRAINSEG_FP32"):
        return "32-true"
    if settings.spatial_dims == 3 and not half_is_safe(device, settings.size):
        return "32-true"
    dtype = fast_dtype(device)
    return {None: "32-true", torch.bfloat16: "bf16-mixed", torch.float16: "16-mixed"}[dtype]


def first_network(session: Session) -> nn.Module:
    """Return the network that a run begins with: fresh from the seed, from ImageNet, or with those of `start_from`.

    Raises:
        TrainingError: The weights do not fit the network.
        ModelError: There is no such model or network.
    """
    settings = session.settings
    torch.manual_seed(settings.seed)
    network = new_network(session.record)
    if settings.imagenet:
        load_imagenet(network)
    if settings.start_from:
        load_first_weights(network, session.record, settings.start_from)
    if isinstance(network, Highlighted) and session.highlighter is not None:
        network.highlighter.load_state_dict(session.highlighter.state_dict())
    return network.to(session.device)


def _read(
    settings: TrainingSettings,
    record: ModelRecord,
    where: tuple[torch.device, int],
    lacking: Lacking,
    seen: dict[str, CaseFacts],
) -> Generator[Progress, None, tuple[SliceSet | PatchSet, list[PreparedCase]]]:
    device, rank = where
    split = read_split(settings.split, settings.split_name).with_share(settings.data_share, settings.seed)
    prepared = partial(_prepared_noting, record=record, lacking=lacking)
    opened = OpenOptions(labels=settings.labels)
    files = find_labelled(settings.data, split.train)
    preparing: list[Preparing] = [partial(_prepare, f, opened, prepared, seen) for f in files]
    make_phantom = make_lgg_phantom if settings.scheme == "lgg" else make_volume_phantom
    for seed in range(settings.phantoms):
        preparing.append(partial(_prepare_phantom, make_phantom, _FIRST_PHANTOM + seed, prepared))
    if not preparing:
        raise TrainingError(f"The split {settings.split_name!r} has no case to learn from. Choose another.")
    validation = yield from read_labelled(settings.data, split.validation, prepared, opened)
    if not validation:
        raise TrainingError(f"The split {settings.split_name!r} has no case to validate on. Choose another.")
    if settings.spatial_dims == 2:
        size = (settings.size[0], settings.size[1])
        neighbours = record.preprocessing.neighbours
        preparing = [partial(_cut, prepare, plane) for plane in record.preprocessing.planes for prepare in preparing]
        choice = SliceChoice(size, neighbours, settings.least_tumour, settings.central_slices)
        slices = yield from slice_set(
            preparing, choice, settings.cache, settings.out / "cache" / f"process-{rank}", device
        )
        return slices, validation
    cases = []
    for number, prepare in enumerate(preparing):
        yield Progress(number, len(preparing), "reading cases")
        cases.append(prepare())
    return PatchSet.of(cases, (settings.size[0], settings.size[1], settings.size[2])), validation


def _prepared_noting(case: Case, record: ModelRecord, lacking: Lacking) -> PreparedCase:
    """Prepare a case, and note in `lacking` which of the model's channels it does not have."""
    absent = tuple(name for name in record.channels if name not in case.channels)
    if absent:
        lacking[case.id] = absent
    return prepare_labelled(case, record.channels, record.scheme, record.preprocessing)


def _known_in_words(known: list[str], model: str) -> str:
    return (
        f"{NOTE}{model} learned from {len(known)} of the cases that validate, such as {known[0]}: their scores will be "
        "too good. Begin with a model that did not see them."
    )


def lacking_in_words(lacking: Lacking) -> str:
    """Return which cases lack which channels, three of them by name."""
    named = "; ".join(f"{case} {', '.join(channels)}" for case, channels in list(lacking.items())[:3])
    more = "; …" if len(lacking) > 3 else ""
    counted = "1 case lacks" if len(lacking) == 1 else f"{len(lacking)} cases lack"
    return f"{NOTE}{counted} channels, which are learned from as empty ({named}{more})"


def _prepare(
    files: CaseFiles, opened: OpenOptions, prepared: Callable[..., PreparedCase], seen: dict[str, CaseFacts]
) -> PreparedCase:
    """Read and prepare a training case, and note in `seen` what it looks like."""
    case = read_case(files, opened)
    if case.id not in seen:
        seen[case.id] = measure_case(case)
    return prepared(case)


def _cut(prepare: Preparing, plane: str) -> PreparedCase:
    return seen_along(prepare(), plane)


def _prepare_phantom(make: Callable[..., Any], seed: int, prepared: Callable[..., PreparedCase]) -> PreparedCase:
    return prepared(make(seed))


def _frequencies(data: SliceSet | PatchSet, settings: TrainingSettings) -> Tensor:
    """Return the share of all voxels that each output has, (K,)."""
    labels = data.labels
    scheme = scheme_by_id(settings.scheme)
    counts = torch.bincount(labels.flatten().int(), minlength=len(scheme.classes) + 1).double()
    values = torch.arange(len(counts), dtype=torch.uint8)
    return (to_targets(values[None], settings.outputs, scheme)[0].double() @ counts / counts.sum()).float()


def _options(kind: type[Any], options: Mapping[str, Any], name: str) -> Any:
    """Return a dataclass of options; raise `TrainingError` naming the wrong one."""
    known = {f.name: str(f.type) for f in fields(kind)}
    for option in options:
        if option not in known:
            near = get_close_matches(option, known, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise TrainingError(f"{name} has no option {option!r}.{hint} It takes {', '.join(known)}.")
    given = {option: typed(known[option], value) for option, value in options.items()}
    for option, value in given.items():
        check_type(f"{name}.{option}", known[option], value)
    return kind(**given)


def facts_of(settings: TrainingSettings) -> dict[str, Any]:
    """Return what a run records of itself: its settings without the places of this machine, and the versions."""
    shown = {
        k: str(v) if isinstance(v, Path) else v
        for k, v in asdict(settings).items()
        if k not in ("data", "labels", "out")
    }
    return {
        "settings": shown,
        "napari-brainseg": __version__,
        "torch": torch.__version__,
        "monai": version("monai"),  # importing it takes seconds
        "numpy": np.__version__,
        "python": platform.python_version(),
        "system": platform.system(),
        "cores": os.cpu_count(),
    }


def fingerprint_of(settings: TrainingSettings) -> str:
    """A run is the same run whatever its folder is called, wherever its data lie and whoever watches it."""
    return hashlib.sha256(json.dumps(_telling(settings), sort_keys=True).encode()).hexdigest()


def changes_of(settings: TrainingSettings) -> str:
    """Say which settings are other than those of the run that lies in `out`; empty where that is not known."""
    try:
        before = json.loads((settings.out / "settings.json").read_text(encoding="utf-8"))["settings"]
        changed = [(k, v, before[k]) for k, v in _telling(settings).items() if before[k] != v]
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    return ", ".join(f"{name} was {old}, not {new}" for name, new, old in changed)


def _telling(settings: TrainingSettings) -> dict[str, Any]:
    """Return the settings that make a run this run, as JSON has them."""
    shown = {k: v for k, v in facts_of(settings)["settings"].items() if k not in ("trackers", "cache", "title")}
    told: dict[str, Any] = json.loads(json.dumps(shown, default=list))
    return told
