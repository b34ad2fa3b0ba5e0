"""What a MONAI bundle says of its model: `configs/metadata.json`. Its file of inference is code, and is not read here.

Layout: `{configs/{metadata.json, inference.json}, models/model.pt, scripts/…}` (MONAI Bundle Specification).
"""

from __future__ import annotations

from pathlib import Path

from napari_brainseg.base.errors import LabelError, ModelError
from napari_brainseg.cases.label_names import classes_of, meanings, regions_of
from napari_brainseg.cases.labels import SCHEMES, LabelScheme
from napari_brainseg.cases.orientations import USUAL
from napari_brainseg.model_store.described import (
    AddSettings,
    Described,
    group,
    in_order,
    read_description,
    values_of_scheme,
)
from napari_brainseg.model_store.external import BUNDLE, External, digests_of

_METADATA = Path("configs", "metadata.json")
_CONFIGS = ("inference.json", "inference.yaml", "inference.yml")
_WEIGHTS = ("model.pt", "model.ts")

Regions = tuple[tuple[int, ...], ...]


def is_bundle(path: Path) -> bool:
    """Return whether a folder is a MONAI bundle."""
    return (path / _METADATA).is_file()


def describe_bundle(folder: Path, settings: AddSettings) -> Described:
    """Return what a bundle's metadata says of its model.

    Raises:
        ModelError: A file is missing or says something that cannot be used.
        LabelError: The labels are not known here, and no scheme was given.
    """
    metadata = read_description(folder / _METADATA)
    config = _present(folder, "configs", _CONFIGS)
    weights = _present(folder, "models", _WEIGHTS)
    inputs, outputs = (group(metadata, "network_data_format", side) for side in ("inputs", "outputs"))
    image, result = next(iter(inputs), "image"), next(iter(outputs), "pred")
    scheme, values, regions = _labels(folder, in_order(group(outputs, result, "channel_def")), settings.scheme)
    code = sorted(path for path in folder.rglob("*.py") if path.is_file())
    external = External(
        kind=BUNDLE,
        path=folder,
        python=Path(),
        values=values,
        regions=regions,
        orientation=USUAL,
        digests=digests_of(folder, [folder / _METADATA, config, weights, *code]),
        runs_code=True,
        checkpoint=weights.relative_to(folder).as_posix(),
        config=config.relative_to(folder).as_posix(),
        keys=(image, result),
    )
    told = str(metadata.get("name") or metadata.get("task") or folder.name)
    words = in_order(group(inputs, image, "channel_def"))
    return Described(f"MONAI bundle: {told} {metadata.get('version', '')}".strip(), words, scheme, external)


def _present(folder: Path, below: str, names: tuple[str, ...]) -> Path:
    """Return the first of these files that is there; raise `ModelError` that names what is missing."""
    for name in names:
        if (folder / below / name).is_file():
            return folder / below / name
    raise ModelError(f"{folder / below} holds no {' or '.join(names)}. Choose a complete bundle.")


def _labels(
    folder: Path, names: tuple[str, ...], scheme: LabelScheme | None
) -> tuple[LabelScheme, dict[int, int], Regions]:
    """Return the scheme, the program value of each value of one label map, and those of each of several channels."""
    try:
        if scheme is not None:
            values = values_of_scheme(scheme, scheme.disk_values)
            return scheme, values, regions_of(names, [scheme])[1] if _are_regions(names) else ()
        if not names:
            raise LabelError("channel_def of its outputs is missing.")
        if _are_regions(names):
            found, regions = regions_of(names)
            return found, {}, regions
        numbered = names if not meanings(names[0])[0] else ("background", *names)
        found, program = classes_of(numbered, range(len(numbered)))
        every = tuple((value,) if value else () for value in program)
        return found, dict(enumerate(program)), every if numbered == names else every[1:]
    except LabelError as error:
        ids = ", ".join(SCHEMES)
        raise LabelError(
            f"{folder / _METADATA}: {error} Say whose values its labels are with --scheme ({ids})."
        ) from error


def _are_regions(names: tuple[str, ...]) -> bool:
    """Return whether several channels overlap: none is the background, and one holds what another is."""
    try:
        first = [meanings(name)[0] for name in names]
    except LabelError:
        return False
    return len(first) > 1 and all(first) and any(a < b for a in first for b in first)
