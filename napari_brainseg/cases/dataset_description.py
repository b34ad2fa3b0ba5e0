"""`dataset.json`: what a data set says of itself, and how nnU-Net's and MONAI's name the classes of a scheme.

nnU-Net v2 wants labels 0, 1, 2 … without a gap, and its `ignore` label, if there is one, above all others; a Decathlon
list, which MONAI reads, names each value. Both hold a scheme's program values.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from napari_brainseg.cases.labels import BRATS2013, BRATS2023, BRATS2024, BRATS_PED, LGG, MSD, LabelScheme
from napari_brainseg.cases.naming import channel_of

DATASET_FILE = "dataset.json"
# Those whose values on disk may be the program's own; the first is that of nnU-Net's and the Decathlon's BraTS.
DATASET_SCHEMES = (MSD, BRATS2013, BRATS2023, BRATS2024, BRATS_PED, LGG)


@dataclass(frozen=True)
class DatasetDescription:
    """What a data set's `dataset.json` says; nothing where there is none.

    Attributes:
        channels: The names of the numbered channels, in order.
        scheme: What the label values mean, where the file says so in words that are known.
        ignored: The label value that means "nobody knows".
        masks: For each labels file of the list that has one, its mask: 1 where the labels are known, 0 elsewhere. Both
            relative to `folder`.
        folder: Where the file lies.
    """

    channels: tuple[str, ...] = ()
    scheme: LabelScheme | None = None
    ignored: int | None = None
    masks: Mapping[str, str] = field(default_factory=dict)
    folder: Path = Path()

    def mask_of(self, labels: Path) -> Path | None:
        """Return the mask of a labels file, or None where it has none."""
        for file, mask in self.masks.items():
            if file.endswith(labels.name) and (self.folder / file).resolve() == labels.resolve():
                return self.folder / mask
        return None


def description_beside(folder: Path) -> DatasetDescription:
    """Return what a `dataset.json` in the folder or its parent says; one that cannot be used says nothing."""
    for place in (folder, folder.parent):
        try:
            described = json.loads((place / DATASET_FILE).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(described, dict):
            labels = _mapping(described.get("labels"))
            ignored = labels.get("ignore")
            return DatasetDescription(
                channels=_channels(_mapping(described.get("channel_names") or described.get("modality"))),
                scheme=_scheme_of(labels),
                ignored=ignored if isinstance(ignored, int) else None,
                masks=dict(_masks(described.get("training"))),
                folder=place,
            )
    return DatasetDescription()


def nnunet_labels(scheme: LabelScheme) -> tuple[dict[str, Any], list[int]]:
    """Return nnU-Net's `labels`, regions with their values and `ignore`, and its `regions_class_order`.

    nnU-Net sets a voxel to the entry of `regions_class_order` of the last region that holds it. Regions are nested, so
    the entry of each is a class that the next one lacks; a class that is still not told apart gets a region of its own.
    Where there is one region alone its class is a plain label, and the order is empty.
    """
    ignored = len(scheme.classes) + 1
    if len(scheme.regions) < 2:
        plain = {_key(label_class.long_name): label_class.value for label_class in scheme.classes}
        return {"background": 0, **plain, "ignore": ignored}, []
    regions: dict[str, list[int]] = {}
    order: list[int] = []
    inner = [region.values for region in scheme.regions[1:]] + [()]
    for region, inside in zip(scheme.regions, inner, strict=True):
        own = [value for value in region.values if value not in inside]
        regions[_key(region.long_name)] = list(region.values)
        order.append(own[0])
        for value in own[1:]:
            regions[_key(scheme.class_of(value).long_name)] = [value]
            order.append(value)
    for label_class in scheme.classes:
        if label_class.value not in order:  # in no region, as a resection cavity is
            regions[_key(label_class.long_name)] = [label_class.value]
            order.append(label_class.value)
    return {"background": 0, **regions, "ignore": ignored}, order


def decathlon_labels(scheme: LabelScheme) -> dict[str, str]:
    """Return a Decathlon list's `labels`: the name of each value."""
    return {"0": "background", **{str(c.value): c.long_name for c in scheme.classes}}


def _scheme_of(labels: Mapping[str, Any]) -> LabelScheme | None:
    """Return the scheme whose classes or regions the `labels` of a data set are, in British or American spelling."""
    meant = _meaning(labels)
    for scheme in DATASET_SCHEMES:
        if meant in (_meaning(nnunet_labels(scheme)[0]), _meaning(decathlon_labels(scheme))):
            return scheme
    return None


def _meaning(labels: Mapping[str, Any]) -> set[tuple[str, str]]:
    """Return pairs of name and values, alike for `{"oedema": [1]}`, `{"Oedema": 1}` and `{"1": "edema"}`."""
    pairs = set()
    for name, value in labels.items():
        if name in ("ignore", "background") or value == "background":
            continue
        name, value = (value, name) if isinstance(value, str) else (name, value)
        values = value if isinstance(value, list) else [value]
        words = _key(name).replace("tumor", "tumour").replace("edema", "oedema").replace("ooedema", "oedema")
        pairs.add((words, ",".join(sorted(map(str, values)))))
    return pairs


def _key(name: str) -> str:
    return re.sub(r"\W+", "_", name.strip().lower())


def _mapping(found: object) -> Mapping[str, Any]:
    return found if isinstance(found, dict) else {}


def _channels(names: Mapping[str, Any]) -> tuple[str, ...]:
    def number(key: str) -> tuple[int, str]:
        return (int(key), "") if key.isdecimal() else (len(names), key)

    words = (str(names[key]) for key in sorted(names, key=number))
    return tuple(channel_of(word) or word for word in words)


def _masks(entries: object) -> Iterable[tuple[str, str]]:
    for entry in entries if isinstance(entries, list) else []:
        label, mask = (_mapping(entry).get(key) for key in ("label", "mask"))
        if isinstance(label, str) and isinstance(mask, str):
            yield label, mask
