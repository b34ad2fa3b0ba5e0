"""`brainseg models add` and `allow`: models of other programs, which run in Python environments of their own."""

from __future__ import annotations

import argparse
from pathlib import Path

from napari_brainseg.base.paths import user_data
from napari_brainseg.cases.labels import scheme_by_id
from napari_brainseg.model_store.adding import add_model, describe_model
from napari_brainseg.model_store.consent import allow, is_allowed, what_runs
from napari_brainseg.model_store.described import AddSettings
from napari_brainseg.model_store.external import BUNDLE
from napari_brainseg.model_store.store import ModelRecord, find_model

_RIGHTS = "with all your rights"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `add`."""
    usual = AddSettings()
    parser.add_argument("path", type=Path, metavar="PATH", help="results folder of nnU-Net v2, or MONAI bundle")
    parser.add_argument("--python", type=Path, required=True, metavar="ENV", help="its environment, or its python")
    parser.add_argument("--name", default="", help="what to call it (default: as its folder)")
    parser.add_argument("--channels", default="", metavar="A,B,…", help="the images it takes, in its order")
    parser.add_argument("--scheme", default="", help="label scheme whose values on disk it gives")
    parser.add_argument("--orientation", default="", metavar="LPS", help="order of axes of its images, or file")
    parser.add_argument("--folds", default="", metavar="0,1,…", help="folds of nnU-Net (default: all)")
    parser.add_argument("--checkpoint", default=usual.checkpoint, help=f"of each fold (default: {usual.checkpoint})")
    parser.add_argument("--allow-code", action="store_true", help=f"let code that comes with it run, {_RIGHTS}")
    parser.add_argument("--replace", action="store_true", help="replace the model of this name that was added before")


def add(args: argparse.Namespace, places: tuple[Path, ...]) -> int:
    """Add a model to the project's, or the user's; a bundle only where its code may run."""
    settings = AddSettings(
        name=args.name,
        channels=_parts(args.channels),
        scheme=scheme_by_id(args.scheme) if args.scheme else None,
        orientation=args.orientation,
        folds=_parts(args.folds),
        checkpoint=args.checkpoint,
        allow_code=args.allow_code,
        replace=args.replace,
    )
    record, source = describe_model(args.path, args.python, settings)
    external = record.external
    assert external is not None
    if external.kind == BUNDLE and not args.allow_code:
        print(f"{what_runs(external)} Where you trust it, add --allow-code. Nothing was added.")
        return 2
    place = places[0] if places else user_data() / "models"
    added = add_model(record, place, places, replaces=args.replace)
    allow(added)
    print(f"{added.name}: {added.title}")
    print(f"    takes {', '.join(added.channels)}; gives {added.scheme.title}")
    print(f"    gets its images {_order(external.orientation, source)}")
    print(f"    {external.in_words} ({external.package})")
    print(added.folder)
    return 0


def allow_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `allow`."""
    parser.add_argument("model", metavar="MODEL", help="name or folder of a model that somebody else has added")
    parser.add_argument("--yes", action="store_true", help="really let it run on this computer")


def allow_model(args: argparse.Namespace, places: tuple[Path, ...]) -> int:
    """Say what an external model runs, and let it where that is asked for."""
    record: ModelRecord = find_model(args.model, places)
    if record.external is not None and not args.yes and not is_allowed(record.external):
        print(f"{what_runs(record.external)} Where you trust it, add --yes.")
        return 2
    allow(record)
    print(f"{record.name} may run.")
    return 0


def _parts(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _order(orientation: str, source: str) -> str:
    order = f"in the order {orientation}" if orientation else "in the order of each case's own files"
    if source:
        return f"{order} (from {source})"
    return f"{order}, as BraTS files have it; nothing says how its training images lay: see --orientation"
