"""Find models: folders `<name>/{model.json, weights.safetensors, README.md}` in several places. Loads no torch.

A model that runs in another Python environment has no weights here: see `external`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from napari_brainseg.base.errors import BrainsegError, ModelError
from napari_brainseg.base.paths import default_project, shipped_models, user_data
from napari_brainseg.cases.case import Case
from napari_brainseg.cases.labels import SCHEMES, LabelScheme
from napari_brainseg.model_store.external import External
from napari_brainseg.model_store.preprocessing import Preprocessing

FORMAT = 1
# What a folder is called for the moment in which another takes its place; a dot hides it from the lists.
REPLACED = ".replaced-"
_OF_A_LINE = re.compile(r"(.+)-(\d+)")


@dataclass(frozen=True)
class ModelRecord:
    """What `model.json` says of a model.

    Attributes:
        name: Its name, which is its folder's whatever `model.json` says: folders are renamed by hand too.
        version: Counts up with every change of the weights.
        title: One line on what it is for.
        network: The architecture: `{"name": …, "options": {…}}`.
        channels: Image channels in the order the network takes them.
        scheme_id: The label scheme of its result.
        outputs: Names of the network's outputs: regions of the scheme (a sigmoid each, outermost first) or, where the
            first is `background`, its classes (a softmax).
        spatial_dims: 2 for slices, 3 for windows.
        preprocessing: How images become network inputs.
        window: (Z, Y, X) of the windows of a 3-D model, or None.
        trained_to_miss: Channels that were left out at times in training, so that a case may lack them.
        post_processing: Rules for its labels that are recommended, by name (see `inference.postprocessing`).
        parent: The model it was fine-tuned from, or None.
        training: Settings and facts of the training, for the card.
        scores: Scores, for the card.
        external: Of a model that runs in another Python environment, where that is; else None.
        folder: Where it lies, or None before it is saved.
    """

    name: str
    version: str
    title: str
    network: Mapping[str, Any]
    channels: tuple[str, ...]
    scheme_id: str
    outputs: tuple[str, ...]
    spatial_dims: int = 2
    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    window: tuple[int, int, int] | None = None
    trained_to_miss: tuple[str, ...] = ()
    post_processing: Mapping[str, Any] = field(default_factory=dict)
    parent: str | None = None
    training: Mapping[str, Any] = field(default_factory=dict)
    scores: Mapping[str, Any] = field(default_factory=dict)
    external: External | None = None
    folder: Path | None = None

    @property
    def scheme(self) -> LabelScheme:
        """The label scheme of its result."""
        return SCHEMES[self.scheme_id]

    @property
    def display_name(self) -> str:
        """The name as people see it: `lgg·2` for a fine-tuned `lgg-2`; one that was not fine-tuned as it is."""
        found = _OF_A_LINE.fullmatch(self.name) if self.parent is not None else None
        return self.name if found is None else f"{found[1]}·{found[2]}"

    @property
    def parent_display_name(self) -> str:
        """The name of the model it was fine-tuned from as people see it; empty where it was not fine-tuned."""
        own, parents = _OF_A_LINE.fullmatch(self.name), _OF_A_LINE.fullmatch(self.parent or "")
        # A line's first model has no number, so a numbered parent of the same line was fine-tuned as well.
        if own is not None and parents is not None and own[1] == parents[1]:
            return f"{parents[1]}·{parents[2]}"
        return self.parent or ""

    @property
    def weights_sha256(self) -> str:
        """SHA-256 of the weights file as it was written; empty in files of older versions."""
        return str(self.training.get("sha256", ""))

    @property
    def card(self) -> str:
        """The model card, Markdown; empty where there is none."""
        path = self.folder / "README.md" if self.folder else None
        return path.read_text(encoding="utf-8") if path and path.is_file() else ""

    @property
    def weights_path(self) -> Path:
        """The weights file; raise `ModelError` where the model has no folder, or its weights lie elsewhere."""
        if self.external is not None:
            raise ModelError(why_not_ours(self))
        if self.folder is None:
            raise ModelError(f"The model {self.name} has not been saved yet.")
        return self.folder / "weights.safetensors"

    def to_json(self) -> str:
        """Return the text of `model.json`."""
        facts = asdict(self)
        del facts["folder"], facts["external"]
        if self.external is not None:  # files of other models stay as older versions wrote them
            facts["external"] = self.external.to_json()
        return json.dumps({"format": FORMAT, **facts}, indent=2, default=list) + "\n"


def read_record(folder: Path) -> ModelRecord:
    """Read `model.json` of a model folder; raise `ModelError` that says what is wrong with which file."""
    path = folder / "model.json"
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ModelError(f"{path} cannot be read ({error.strerror}). Choose another model folder.") from error
    except ValueError as error:
        raise ModelError(f"{path} is not a model description ({error}). Choose another model folder.") from error
    return parse_record(text, folder)


def parse_record(text: str, folder: Path) -> ModelRecord:
    """Return the record that the text of `folder`'s model.json describes; raise `ModelError` as `read_record` does."""
    path = folder / "model.json"
    try:
        facts = json.loads(text)
        if facts.pop("format") != FORMAT:
            raise ModelError(f"{path} was written by a newer version. Update napari-brainseg.")
        preprocessing = facts["preprocessing"]
        lists = {name: tuple(preprocessing[name]) for name in ("clip", "planes") if name in preprocessing}
        facts["preprocessing"] = Preprocessing(**{**preprocessing, **lists})
        for name in ("channels", "outputs", "trained_to_miss"):
            facts[name] = tuple(facts[name])
        facts["window"] = tuple(facts["window"]) if facts["window"] else None
        facts["post_processing"] = dict(facts.get("post_processing", {}))  # older files have none
        if facts.get("external") is not None:
            facts["external"] = External.from_json(facts["external"])
        facts["name"] = folder.absolute().name.removeprefix(REPLACED)
        record = ModelRecord(**facts, folder=folder)
        _check_types(record)
    except ModelError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, BrainsegError) as error:
        raise ModelError(f"{path} is not a model description ({error}). Choose another model folder.") from error
    if record.scheme_id not in SCHEMES:
        raise ModelError(f"{path} names the unknown label scheme {record.scheme_id!r}. Update napari-brainseg.")
    return record


def _check_types(record: ModelRecord) -> None:
    """Raise `TypeError` where a fact is of another kind, which would only be noticed deep in the window."""
    for name in ("version", "title", "scheme_id"):
        if not isinstance(getattr(record, name), str):
            raise TypeError(f"{name} is no text")
    if not isinstance(record.parent, str | None):
        raise TypeError("parent is no text")
    for name in ("network", "training", "scores"):
        if not isinstance(getattr(record, name), Mapping):
            raise TypeError(f"{name} is no group")
    for name in ("channels", "outputs", "trained_to_miss"):
        if not all(isinstance(one, str) for one in getattr(record, name)):
            raise TypeError(f"{name} holds something else than names")
    if not isinstance(record.network.get("name"), str) or record.spatial_dims not in (2, 3):
        raise TypeError("network has no name, or spatial_dims is neither 2 nor 3")


def model_places(extra: Iterable[Path] = ()) -> tuple[Path, ...]:
    """Return the folders that are searched: those given, the default project's, the user's, then the shipped ones."""
    places = (*extra, default_project() / "models", user_data() / "models", shipped_models())
    return tuple(dict.fromkeys(places))


def list_models(extra: Iterable[Path] = ()) -> list[ModelRecord]:
    """Return every readable model of `model_places`, by name within a place; a name found twice keeps the first."""
    found: dict[str, ModelRecord] = {}
    for place in reversed(model_places(extra)):
        if not place.is_dir():
            continue
        for folder in sorted(_folders(place), reverse=True):
            try:
                record = read_record(folder)
            except ModelError:
                continue  # a broken folder hides itself, not the others; choosing it by name says what is wrong
            found.pop(record.name, None)
            found[record.name] = record
    return list(reversed(found.values()))


def find_model(name: str | Path, extra: Iterable[Path] = ()) -> ModelRecord:
    """Return the model with this name, or in this folder; raise `ModelError` that lists the names there are.

    A name may be written as people see it too: `lgg·2`.
    """
    given = standing_folder(Path(name))
    if (given / "model.json").is_file():
        return read_record(given)
    extra = tuple(extra)
    for one in dict.fromkeys((str(name), str(name).replace("·", "-"))):
        for place in model_places(extra):
            folder = standing_folder(place / one)
            if (folder / "model.json").is_file():
                return read_record(folder)
    names = ", ".join(m.name for m in list_models(extra)) or "none"
    elsewhere = "One that lies elsewhere, such as in a project, is found by its folder."
    raise ModelError(f"There is no model {str(name)!r}. There are: {names}. {elsewhere}")


def standing_folder(folder: Path) -> Path:
    """Return the folder, or the model that it was to take the place of when a save was cut off in between."""
    aside = folder.parent / f"{REPLACED}{folder.name}"
    return aside if not folder.exists() and aside.is_dir() else folder


def _folders(place: Path) -> Iterator[Path]:
    """Yield the model folders of a place; those that are being written are hidden by their dot."""
    for path in place.glob("*/model.json"):
        folder = path.parent
        cut_off = folder.name.startswith(REPLACED) and not (place / folder.name.removeprefix(REPLACED)).exists()
        if cut_off or not folder.name.startswith("."):
            yield folder


def default_model_for(case: Case, records: Iterable[ModelRecord]) -> ModelRecord | None:
    """Return the first model that was made for the channels of such a case, or None: see `default_for_channels`."""
    return default_for_channels(case.expected, records)


def default_for_channels(expected: Iterable[str], records: Iterable[ModelRecord]) -> ModelRecord | None:
    """Return the first model that was made for exams with the channels `expected`, or None.

    A model fits when the kind of exam has all its channels, whether or not a case has them. One that was fine-tuned, or
    runs in another environment, is taken only where there is no other: a person chooses it by name.
    """
    kind = set(expected)
    fitting = [r for r in records if set(r.channels) <= kind]
    # A model that uses more of the exam's sequences comes first.
    return max(fitting, key=lambda r: (r.parent is None and r.external is None, len(r.channels)), default=None)


def why_not_ours(record: ModelRecord) -> str:
    """Return that a model runs elsewhere and what cannot be done with it, in a sentence; empty for any other."""
    if record.external is None:
        return ""
    return (
        f"{record.display_name} runs in an environment of its own: it segments, but cannot be fine-tuned, exported or "
        "averaged with others here. Choose another model for that."
    )


def fit_in_words(model: ModelRecord, case: Case) -> str:
    """Return which channels the model does without, and whether it was trained for that; empty when none."""
    missing = [channel for channel in model.channels if channel not in case.channels]
    if not missing:
        return ""
    trained = set(missing) <= set(model.trained_to_miss)
    verdict = "was trained for that" if trained else "was not trained for that, so expect a worse result"
    return f"Runs without {', '.join(missing)}: {model.display_name} {verdict}."


def classes_in_words(model: ModelRecord, scheme: LabelScheme) -> str:
    """Return what of labels of a scheme a model of another one takes otherwise, or not; empty where all fits."""
    if model.scheme == scheme:
        return ""
    taken: dict[str, list[str]] = {}
    for one in scheme.classes:
        held = model.scheme.counterpart(one)
        taken.setdefault("" if held is None else held.name, []).append(one.name)
    told = [
        f"{listed(names)} {'is' if len(names) == 1 else 'are'} taken as {into}"
        for into, names in taken.items()
        if into and names != [into]
    ]
    if "" in taken:
        told.append(f"it has no class for {listed(taken[''])}, so it cannot learn from slices with that")
    untold = [one.name for one in model.scheme.classes if one.name not in taken]
    if untold:
        told.append(f"nothing here teaches it {listed(untold)}")
    about = f"{model.display_name} labels in {model.scheme.title}, these slices are in {scheme.title}"
    return f"{about}: {'; '.join(told)}." if told else ""


def listed(names: list[str]) -> str:
    """Return names as a sentence has them: `NCR`, `NCR and ED`, `NCR, ED and ET`."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
