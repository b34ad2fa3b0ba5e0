"""`External`: what `model.json` says of a model that runs in another Python environment. Loads no torch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

from napari_brainseg.base.errors import ModelError
from napari_brainseg.cases.orientations import reorientation_for

NNUNET, BUNDLE = "nnunet", "bundle"
KINDS = {NNUNET: "nnU-Net", BUNDLE: "MONAI bundle"}
PACKAGES = {NNUNET: "nnunetv2", BUNDLE: "monai"}
_CHUNK = 1 << 20


@dataclass(frozen=True)
class External:
    """Where a model lies, what runs it, and what the labels mean that it gives.

    Attributes:
        kind: `nnunet`, a results folder of nnU-Net v2, or `bundle`, a MONAI bundle.
        path: Its folder.
        python: The interpreter of the environment that runs it.
        package: nnU-Net or MONAI there, with its version.
        values: The program value of each label value that it gives; empty where it gives one channel per region.
        regions: Of several channels, the program values of each: overlapping regions or, where one is empty, which is
            the background, classes of which the highest counts.
        orientation: The order of axes of the files that it gets, such as `LPS`; empty for that of the case's own files.
        digests: SHA-256 of its files that are loaded or run, by their names below `path`.
        runs_code: Whether code in these files runs: of a bundle always, of nnU-Net where its checkpoints hold some.
        folds: nnU-Net's folds, averaged.
        checkpoint: The weights: a file in each fold's folder, or of a bundle one below `path`.
        config: A bundle's file of inference, below `path`.
        keys: What a bundle calls image and result.
    """

    kind: str
    path: Path
    python: Path
    package: str = ""
    values: Mapping[int, int] = field(default_factory=dict)
    regions: tuple[tuple[int, ...], ...] = ()
    orientation: str = ""
    digests: Mapping[str, str] = field(default_factory=dict)
    runs_code: bool = False
    folds: tuple[str, ...] = ()
    checkpoint: str = ""
    config: str = ""
    keys: tuple[str, str] = ("image", "pred")

    @classmethod
    def from_json(cls, facts: Mapping[str, Any]) -> Self:
        """Return what `to_json` gave; raise `ValueError`, `TypeError` or `KeyError` for anything else."""
        image, result = facts["keys"]
        found = cls(
            kind=facts["kind"],
            path=Path(facts["path"]),
            python=Path(facts["python"]),
            package=str(facts["package"]),
            values={int(value): int(program) for value, program in facts["values"].items()},
            regions=tuple(tuple(int(value) for value in region) for region in facts["regions"]),
            orientation=str(facts["orientation"]),
            digests={str(name): str(digest) for name, digest in facts["digests"].items()},
            runs_code=bool(facts["runs_code"]),
            folds=tuple(str(fold) for fold in facts["folds"]),
            checkpoint=str(facts["checkpoint"]),
            config=str(facts["config"]),
            keys=(str(image), str(result)),
        )
        if found.kind not in KINDS:
            raise ValueError(f"{found.kind!r} is no kind of model")
        if found.orientation:
            reorientation_for(found.orientation)
        return found

    def to_json(self) -> dict[str, Any]:
        """Return plain values for `model.json`."""
        return {**asdict(self), "path": str(self.path), "python": str(self.python)}

    @property
    def identity(self) -> str:
        """A digest of everything that decides what runs."""
        return hashlib.sha256(json.dumps(self.to_json(), sort_keys=True, default=list).encode()).hexdigest()

    @property
    def in_words(self) -> str:
        """Where it lies and what runs it."""
        return f"{KINDS[self.kind]} in {self.path}, runs in {self.python}"

    def refuse_changed(self, name: str) -> None:
        """Raise `ModelError` where a file is gone, or is not the one that was there when the model was added."""
        for file, digest in self.digests.items():
            if digest_of(self.path / file) != digest:
                raise ModelError(
                    f"{self.path / file} has changed since {name} was added. Where that is meant, add the model again "
                    "(brainseg models add, with --replace)."
                )


def digests_of(folder: Path, files: Sequence[Path]) -> dict[str, str]:
    """Return the SHA-256 of files by their names below a folder; raise `ModelError` for one that cannot be read."""
    return {file.relative_to(folder).as_posix(): digest_of(file) for file in files}


def digest_of(file: Path) -> str:
    """Return the SHA-256 of a file, read once while it is unchanged; raise `ModelError` where it cannot be read."""
    try:
        status = file.stat()
        return _digest(file, status.st_mtime_ns, status.st_size)
    except OSError as error:
        raise ModelError(
            f"{file} cannot be read ({error.strerror or error}). Bring it back, or choose another model."
        ) from error


@lru_cache(maxsize=256)
def _digest(file: Path, _changed: int, _size: int) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as opened:
        while chunk := opened.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
