"""`Model`: a network with its weights and its record, to and from a folder."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from napari_brainseg.base.errors import ModelError
from napari_brainseg.base.paths import write_text
from napari_brainseg.model_store.folders import folder_written_aside
from napari_brainseg.model_store.preprocessing import input_channels
from napari_brainseg.model_store.store import ModelRecord, find_model, read_record
from napari_brainseg.networks import create_network
from napari_brainseg.networks.highlighted import Highlighted


@dataclass(eq=False)
class Model:
    """A network with weights and what its record says of it. The network lies in fp32 on the CPU until it is used."""

    record: ModelRecord
    network: nn.Module


_LOADED: dict[Path, tuple[tuple[int, int], Model]] = {}
_LOADING = threading.Lock()


def load_model(which: ModelRecord | str | Path) -> Model:
    """Return a model with its weights; kept warm, so a second call is immediate while its file is unchanged.

    Raises:
        ModelError: The folder or its network cannot be used, or its weights are not those that `model.json` was
            written for.
    """
    record = which if isinstance(which, ModelRecord) else find_model(which)
    path = record.weights_path
    try:
        stat = path.stat()
    except OSError as error:
        raise _unreadable(path, error) from error
    stamp = (stat.st_mtime_ns, stat.st_size)
    with _LOADING:
        kept = _LOADED.get(path)
        if kept is None or kept[0] != stamp:
            kept = _LOADED[path] = (stamp, _read(record, path))
    return kept[1]


def _read(record: ModelRecord, path: Path) -> Model:
    try:
        # At once and into memory: what is checked is what is loaded, and nothing holds the file afterwards.
        packed = path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from error
    record = _record_of(packed, record, path)
    network = new_network(record)
    try:
        weights = {
            name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in load(packed).items()
        }
        network.load_state_dict(weights)
    except SafetensorError as error:
        raise ModelError(f"{path} is damaged ({error}). Install the model again.") from error
    except RuntimeError as error:  # names or shapes of other weights
        raise ModelError(f"{path} does not fit the network in its model.json. Install the model again.") from error
    return Model(record, network.eval())


def _record_of(packed: bytes, record: ModelRecord, path: Path) -> ModelRecord:
    """Return the record that belongs to these weights; raise `ModelError` where none does."""
    digest = hashlib.sha256(packed).hexdigest()
    if record.weights_sha256 in ("", digest):
        return record
    now = read_record(path.parent)  # a training may have written a better one since the record was read
    if now.weights_sha256 != digest:
        raise ModelError(
            f"{path} is damaged or was replaced: its SHA-256 is not the one in model.json. Copy the model folder again."
        )
    return now


def _unreadable(path: Path, error: OSError) -> ModelError:
    if isinstance(error, FileNotFoundError):
        return ModelError(f"{path} is not there any more. Choose another model.")
    reason = error.strerror or error
    return ModelError(f"{path} cannot be read ({reason}). Close the program that holds it, or choose another model.")


def new_network(record: ModelRecord) -> nn.Module:
    """Build the record's network, untrained, in the memory format that is fast for it."""
    channels = input_channels(record.preprocessing, len(record.channels))
    highlight = record.network.get("highlight", "")
    network = create_network(
        record.network["name"],
        in_channels={"": channels, "join": channels + 1, "replace": 1}[highlight],
        out_channels=len(record.outputs),
        spatial_dims=record.spatial_dims,
        **record.network.get("options", {}),
    )
    if highlight:
        network = Highlighted(network, channels, joins=highlight == "join")
    if record.spatial_dims == 2:
        network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


def save_model(
    model: Model,
    folder: Path,
    card: str | Mapping[str, bytes],
    *,
    overwrite: bool = False,
    exact: bool = False,
) -> ModelRecord:
    """Write a model folder aside and rename it; weights in half precision, their SHA-256 in `model.json`.

    Whatever ends it, even the end of the process, a model that was there before is there still, or the new one is.

    Args:
        model: The model.
        folder: Where to.
        card: Its card, Markdown, or all files of a card by name.
        overwrite: Whether a model that is there is replaced.
        exact: Keep what half precision would change as it is: of weights that come from a file, the few layers that
            were worked on.

    Raises:
        OutputError: The folder exists and `overwrite` is false, or it cannot be written.
    """
    packed = save({name: _stored(tensor, exact=exact) for name, tensor in model.network.state_dict().items()})
    facts = {**model.record.training, "sha256": hashlib.sha256(packed).hexdigest()}
    record = replace(model.record, name=folder.name, folder=None, training=facts)
    with folder_written_aside(folder, overwrite=overwrite) as aside:
        # Written by ourselves, since the library's own files are readable by their owner alone.
        (aside / "weights.safetensors").write_bytes(packed)
        write_text(aside / "model.json", record.to_json())
        for name, content in ({"README.md": card.encode()} if isinstance(card, str) else card).items():
            (aside / name).write_bytes(content)
    return replace(record, folder=folder)


def _stored(tensor: Tensor, *, exact: bool) -> Tensor:
    """Return a tensor as the weights file holds it."""
    given = tensor.detach().cpu()
    half = given.half() if given.is_floating_point() else given
    return (given if exact and not torch.equal(half.to(given.dtype), given) else half).contiguous()
