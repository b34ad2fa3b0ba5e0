"""`Segmentation`: what a model, or a person, gives for a case."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_brainseg.cases.case import Case, Naming
from napari_brainseg.cases.labels import LabelArray, LabelScheme
from napari_brainseg.cases.volume import Geometry


@dataclass(frozen=True, eq=False)
class Segmentation:
    """Labels for a case.

    Attributes:
        case_id: The case they belong to.
        labels: uint8 (Z, Y, X), program values of `scheme`.
        scheme: What the values mean.
        geometry: The grid and header that a file of these labels gets: the case's labels file, else its grid channel.
        write_scheme: The scheme written unless another is chosen.
        naming: The naming style of the case, which decides the names of written files.
        slice_names: For tifs, the source file's stem of each slice, in order; else empty.
        reference_paths: The case's own files, reference labels and images, which are never written.
        probabilities: float16 (R, Z, Y, X), one map per name in `probability_names`, or None.
        probability_names: Names of the probability maps, such as `WT` or `enhancing`.
        model: The model's name and version, or what else made the labels.
        seconds: How long it took, by named stage.
        uncertainty: float16 (Z, Y, X), 0 where the model is sure, or None.
        uncertainty_name: What it measures: `entropy` or `margin`.
        variance: float16 (Z, Y, X), how far the members of an ensemble or the mirrored copies differ, or None.
        notes: What a person should know of the run, one sentence each: memory that ran out, steps after the labels.
    """

    case_id: str
    labels: LabelArray
    scheme: LabelScheme
    geometry: Geometry
    write_scheme: LabelScheme
    naming: Naming
    slice_names: tuple[str, ...] = ()
    reference_paths: tuple[Path, ...] = ()
    probabilities: NDArray[np.float16] | None = None
    probability_names: tuple[str, ...] = ()
    model: str = ""
    seconds: Mapping[str, float] = field(default_factory=dict)
    uncertainty: NDArray[np.float16] | None = None
    uncertainty_name: str = ""
    variance: NDArray[np.float16] | None = None
    notes: tuple[str, ...] = ()

    @classmethod
    def for_case(cls, case: Case, labels: LabelArray, scheme: LabelScheme, **facts: object) -> Segmentation:
        """Return a segmentation of `case`, with everything that writing needs taken from it."""
        geometry = case.labels.volume.geometry if case.labels is not None else case.geometry
        slices = case.paths.get(case.grid_channel, ()) if case.naming is Naming.LGG else ()
        return cls(
            case_id=case.id,
            labels=labels,
            scheme=scheme,
            geometry=geometry,
            write_scheme=case.scheme,
            naming=case.naming,
            slice_names=tuple(p.stem for p in slices),
            reference_paths=(
                *case.label_paths,
                *case.protected,
                *dict.fromkeys(path for paths in case.paths.values() for path in paths),
            ),
            **facts,  # type: ignore[arg-type]
        )

    @classmethod
    def empty(cls, case: Case) -> Segmentation:
        """Return where labels of `case` are written and how, with labels that are 0 and take no memory."""
        nothing: LabelArray = np.broadcast_to(np.uint8(0), case.geometry.shape)
        return cls.for_case(case, nothing, case.scheme)
