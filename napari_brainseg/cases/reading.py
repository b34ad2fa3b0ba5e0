"""Reading a case: its channels on one grid, its labels, and a sentence for each thing that was assumed."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_brainseg.base.errors import InputError
from napari_brainseg.cases.attaching import attach_labels, reread_labels, with_labels
from napari_brainseg.cases.case import BRATS_CHANNELS, LGG_CHANNELS, SKIP, Case, Naming, grid_channel_of
from napari_brainseg.cases.finding import CaseFiles, find_cases
from napari_brainseg.cases.narrowing import candidate_schemes
from napari_brainseg.cases.nifti import read_volume, read_volumes
from napari_brainseg.cases.resampling import grids_differ, on_grid, resampled
from napari_brainseg.cases.slices import read_slices
from napari_brainseg.cases.volume import Geometry, Spacing, Volume

__all__ = [
    "CaseFiles",
    "OpenOptions",
    "attach_labels",
    "find_cases",
    "read_case",
    "reread_labels",
    "resample_onto_grid",
    "with_spacing",
]


@dataclass(frozen=True)
class OpenOptions:
    """What a person may settle when the names do not.

    Attributes:
        channels: A file for each channel name, or the order of the channels in a 4-D file, in nnU-Net's numbers or in
            tifs (`-` skips one); None leaves it to the names.
        scheme: Id of the scheme that labels on disk are read by; None leaves it to naming and values.
        labels: A labels file, or a folder in which the case's labels are found by its name.
        resample: Whether channels and labels on another grid are interpolated onto the case's grid.
        spacing: mm along (Z, Y, X) that a person gives for files that say none.
    """

    channels: Mapping[str, str | Path] | tuple[str, ...] | None = None
    scheme: str | None = None
    labels: Path | None = None
    resample: bool = False
    spacing: Spacing | None = None


@dataclass(frozen=True, eq=False)
class _Channels:
    volumes: dict[str, Volume]
    paths: dict[str, tuple[Path, ...]]
    notes: tuple[str, ...] = field(default=())
    order: tuple[str, ...] = ()


def read_case(
    path: os.PathLike[str] | str | Sequence[os.PathLike[str] | str] | CaseFiles, options: OpenOptions | None = None
) -> Case:
    """Read a case from its folder, its files, a 4-D file, a tif, or what `find_cases` found.

    Of a folder of several cases the first one is read, and a note says so.

    Raises:
        InputError: A file cannot be used, or no channel can be told.
        AlignmentError: Labels that were asked for do not lie on the case's grid.
        LabelError: The label values do not fit the chosen scheme, or those that were asked for fit none. The case's own
            labels that cannot be read are left off, with a note.
    """
    options = options or OpenOptions()
    notes: tuple[str, ...] = ()
    if isinstance(path, CaseFiles):
        files = path
    else:
        cases = find_cases(path)
        files = cases[0]
        if len(cases) > 1:
            notes = (f"{len(cases)} cases were found, {cases[0].id} to {cases[-1].id}; the first is open.",)
    files = _with_chosen_channels(files, options)
    if not files.channels:
        raise InputError(_no_channels(files))
    channels = _read_tifs(files, options) if files.naming is Naming.LGG else _read_niftis(files)
    case = _case_of(files, channels, notes)
    if options.resample:
        for name in tuple(case.off_grid):
            case = resample_onto_grid(case, name)
    if options.spacing is not None:
        case = with_spacing(case, options.spacing)
    if options.labels is not None:  # the case's own labels are then not read, and may be unreadable
        return attach_labels(case, options.labels, options.scheme, resample=options.resample)
    return with_labels(case, files.labels, options.scheme, resample=options.resample)


def resample_onto_grid(case: Case, channel: str) -> Case:
    """Return the case with an off-grid channel interpolated (linear) onto the case's grid.

    Raises:
        InputError: No channel of this name waits to be resampled.
        AlignmentError: One of the files does not say where it lies.
    """
    if channel not in case.off_grid:
        raise InputError(
            f"{channel} of {case.id} lies on the case's grid already, or is not there. Choose another channel."
        )
    moved = resampled(case.off_grid[channel], case.geometry)
    channels = {**case.channels, channel: moved}
    notes = tuple(note for note in case.notes if not note.startswith(f"{channel} has another grid"))
    return replace(
        case,
        channels={name: channels[name] for name in case.expected if name in channels},
        off_grid={name: volume for name, volume in case.off_grid.items() if name != channel},
        notes=(*notes, f"{channel} was resampled (linear) onto the grid of {case.grid_channel}."),
    )


def with_spacing(case: Case, spacing: Spacing) -> Case:
    """Return the case with a spacing in mm (Z, Y, X) that a person entered, where the files do not say their place.

    Raises:
        InputError: The files say their place and spacing themselves, or the spacing is not positive.
    """
    if case.geometry.affine is not None:
        raise InputError(f"The files of {case.id} say their spacing themselves. It cannot be entered.")
    if not all(np.isfinite(step) and step > 0 for step in spacing):
        raise InputError("A spacing is three positive numbers in mm. Enter it again.")

    def spaced(volume: Volume) -> Volume:
        return Volume(volume.data, replace(volume.geometry, spacing=spacing))

    labels = case.labels if case.labels is None else replace(case.labels, volume=spaced(case.labels.volume))
    channels = {name: spaced(volume) for name, volume in case.channels.items()}
    return replace(case, channels=channels, labels=labels, geometry=replace(case.geometry, spacing=spacing))


def _with_chosen_channels(files: CaseFiles, options: OpenOptions) -> CaseFiles:
    chosen = options.channels
    if chosen is None:
        return files
    names = tuple(chosen)
    known = {*BRATS_CHANNELS, *LGG_CHANNELS}
    for name in names:
        if name not in known and name != SKIP:
            raise InputError(
                f"There is no channel {name!r}. Choose from {', '.join((*BRATS_CHANNELS, 'pre', 'post'))}."
            )
    if len({*names} - {SKIP}) != len([n for n in names if n != SKIP]):
        raise InputError(f"A channel was named twice in {', '.join(names)}. Name each once.")
    if isinstance(chosen, Mapping) and files.naming is Naming.LGG:
        raise InputError(
            f"The channels of {files.id} are the colours of its slices. Give their order, as pre,flair,post."
        )
    if isinstance(chosen, Mapping):
        named = {name: (Path(file),) for name, file in chosen.items()}
        taken = {path for paths in named.values() for path in paths}
        kept = {name: paths for name, paths in files.channels.items() if name not in named and not taken & {*paths}}
        rest = tuple(path for path in files.undecided if path not in taken)
        return replace(files, channels={**kept, **named}, undecided=rest)
    return _in_order(files, names)


def _in_order(files: CaseFiles, names: tuple[str, ...]) -> CaseFiles:
    if files.naming is Naming.LGG:
        return files  # the colours are named where they are read
    if files.naming in (Naming.DECATHLON, Naming.NNUNET) or not files.channels:
        images = [paths[0] for paths in files.channels.values()] or list(files.undecided)
        sources = sorted({*images})
        if len(sources) == 1:  # the volumes of one 4-D file
            return replace(files, channels=_unique(names, sources * len(names)), undecided=(), notes=())
        if len(sources) == len(names):
            return replace(files, channels=_unique(names, sources), undecided=(), notes=())
        raise InputError(
            f"{files.id} has {len(sources)} files, but {len(names)} channels were named. Name one for each."
        )
    raise InputError(
        f"The files of {files.id} are no series whose order could be given. "
        "Name them, as in --channels flair=FILE,t1=FILE."
    )


def _unique(names: Sequence[str], files: Sequence[Path]) -> dict[str, tuple[Path, ...]]:
    # Skipped volumes keep their place: a mapping needs a name of its own for each.
    return {
        f"{SKIP}{index}" if name == SKIP else name: (file,)
        for index, (name, file) in enumerate(zip(names, files, strict=True))
    }


def _no_channels(files: CaseFiles) -> str:
    if files.undecided:
        listed = ", ".join(path.name for path in files.undecided[:5])
        return (
            f"The names do not say which channels {listed} are. "
            "Name them in the Case panel, or with --channels flair=FILE,t1=FILE."
        )
    if files.labels:
        return (
            f"{files.labels[0]} holds labels, but no image is with it. Open the case's folder, or its images as well."
        )
    return f"No channel of {files.id} was found in {files.folder}. Choose a case folder or its files."


def _read_niftis(files: CaseFiles) -> _Channels:
    names = list(files.channels)
    order: tuple[str, ...] = ()
    sources = {paths[0] for paths in files.channels.values()}
    if len(sources) == 1 and (len(names) > 1 or files.naming is Naming.DECATHLON):
        volumes = read_volumes(next(iter(sources)))
        if len(volumes) != len(names):
            raise InputError(
                f"{next(iter(sources))} holds {len(volumes)} volumes, but {len(names)} channels are named "
                f"({', '.join(names)}). Name them in order, as in --channels flair,t1,t1ce,t2."
            )
        order = tuple(SKIP if name.startswith(SKIP) else name for name in names)
    else:
        with ThreadPoolExecutor(4) as pool:
            volumes = tuple(pool.map(read_volume, [paths[0] for paths in files.channels.values()]))
    read = {name: volume for name, volume in zip(names, volumes, strict=True) if not name.startswith(SKIP)}
    notes = files.notes
    if files.undecided:
        listed = ", ".join(path.name for path in files.undecided[:5])
        notes += (f"The names do not say which channels these are: {listed}. They were left out.",)
    return _Channels(read, {name: files.channels[name] for name in read}, notes, order)


def _read_tifs(files: CaseFiles, options: OpenOptions) -> _Channels:
    slices = next(iter(files.channels.values()))
    stack = read_slices(slices)
    order = tuple(options.channels) if isinstance(options.channels, tuple) else ()
    if order and len(order) != len(stack):
        raise InputError(f"{slices[0].name} has {len(stack)} channels, but {len(order)} were named. Name one for each.")
    names = order or (LGG_CHANNELS if len(stack) == len(LGG_CHANNELS) else ("flair",))
    geometry = Geometry(shape=(stack.shape[1], stack.shape[2], stack.shape[3]))
    planes = dict(zip(_unique(names, slices[:1] * len(names)), stack, strict=True))
    planes, notes = _without_copies({n: p for n, p in planes.items() if not n.startswith(SKIP)}, chosen=bool(order))
    if names == LGG_CHANNELS and np.shares_memory(planes.get("flair", stack[1]), stack[0]):
        names = ("flair", "pre", "post")  # as the copies told; the third colour is FLAIR again
    if len(stack) == 1 and not order:
        notes = ("The slices hold one grey channel, which is taken for flair.", *notes)
    volumes = {}
    for name, plane in planes.items():
        plane.flags.writeable = False
        volumes[name] = Volume(plane, geometry)
    return _Channels(volumes, dict.fromkeys(volumes, tuple(slices)), notes, tuple(names))


def _without_copies(
    planes: dict[str, NDArray[np.float32]], *, chosen: bool
) -> tuple[dict[str, NDArray[np.float32]], tuple[str, ...]]:
    """Drop channels that are copies of another over the whole case: the set fills a missing sequence with FLAIR."""
    names = [name for name in planes if planes[name].min() != planes[name].max()]
    copies = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :] if np.array_equal(planes[a], planes[b])]
    if not copies:
        return planes, ()
    if not chosen and all("flair" not in pair for pair in copies):
        # Only FLAIR is ever copied, so this case is not in the published order pre, flair, post.
        first, second = copies[0]
        middle = planes["flair"]
        note = (
            f"{first} and {second} are copies of each other, which only FLAIR is: the order flair, pre was assumed. "
            "Choose another with --channels."
        )
        return {"pre": middle, "flair": planes[first]}, (note,)
    dropped = {}
    for a, b in copies:
        original, copy = (b, a) if b == "flair" else (a, b)
        if original not in dropped:
            dropped[copy] = original
    notes = tuple(
        f"{copy} is a copy of {kept} in every slice, so it counts as missing." for copy, kept in dropped.items()
    )
    return {name: plane for name, plane in planes.items() if name not in dropped}, notes


def _case_of(files: CaseFiles, channels: _Channels, notes: tuple[str, ...]) -> Case:
    grid_name = grid_channel_of(channels.volumes)
    grid = channels.volumes[grid_name].geometry
    aligned, off_grid = {}, {}
    gate_notes = []
    tifs = files.naming is Naming.LGG or {"pre", "post"} & {*channels.volumes}
    expected = LGG_CHANNELS if tifs else BRATS_CHANNELS
    for name in sorted(channels.volumes, key=lambda n: expected.index(n) if n in expected else len(expected)):
        volume = on_grid(channels.volumes[name], grid)
        if volume is not None:
            aligned[name] = volume
        else:
            off_grid[name] = channels.volumes[name]
            differ = grids_differ(name, off_grid[name].geometry, grid_name, grid)
            gate_notes.append(f"{differ}. Resample {name} onto {grid_name}, or choose another file.")
    return Case(
        id=files.id,
        channels=aligned,
        expected=expected,
        geometry=grid,
        labels=None,
        scheme=candidate_schemes(files.naming, files.id)[0],
        naming=files.naming,
        paths=channels.paths,
        label_paths=files.labels,
        protected=files.beside,
        notes=(*notes, *channels.notes, *gate_notes),
        off_grid=off_grid,
        order=channels.order,
    )
