"""`brainseg models`: list the models that can be used, print a card, and what a model's life brings with it."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from napari_brainseg.base.errors import ModelError
from napari_brainseg.base.paths import user_data
from napari_brainseg.base.progress import run_to_end
from napari_brainseg.cli import calibration, external_models
from napari_brainseg.cli.model_table import print_comparison
from napari_brainseg.model_store.card import score_line
from napari_brainseg.model_store.comparing import compare
from napari_brainseg.model_store.ensembles import trainings_of
from napari_brainseg.model_store.folders import delete_model, is_taken, own_folder, rename_model, why_not_a_name
from napari_brainseg.model_store.lineage import Lineage, history_line, learnt_cases
from napari_brainseg.model_store.model_zip import export_model, import_model
from napari_brainseg.model_store.store import ModelRecord, find_model, list_models

_LARGE = 20e6  # bytes of weights


@dataclass(frozen=True)
class Command:
    """One word after `brainseg models`: what it does, and the functions that declare its arguments and run it."""

    help: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace, tuple[Path, ...]], int]


def completed(words: Sequence[str]) -> list[str]:
    """Return the words behind `models` with `list` before them where they name no command: a model, or nothing."""
    given = bool(words) and words[0] in (*COMMANDS, "-h", "--help")
    return list(words) if given else ["list", *words]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the commands and their arguments."""
    parser.epilog = "Without a command the models are listed; with a model's name alone its card is printed."
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, command in COMMANDS.items():
        one = commands.add_parser(name, help=command.help, description=f"{command.help.capitalize()}.")
        command.add_arguments(one)
        one.add_argument("--project", type=Path, default=None, help="project folder whose models are meant too")


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    return COMMANDS[args.command].run(args, (args.project / "models",) if args.project else ())


def _list_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("card", nargs="?", metavar="MODEL", help="print the card of this model")


def _list(args: argparse.Namespace, places: tuple[Path, ...]) -> int:
    """Print a paragraph a model, those that were fine-tuned below what they come from; or one card."""
    if args.card:
        print(find_model(args.card, places).card)
        return 0
    lineage = Lineage(list_models(places))
    if not lineage.records:
        print("No model was found.")
    for record in lineage.in_families():
        indent = "  " * (lineage.generation(record) - 1)
        for line in _paragraph(record, lineage.parent(record)):
            print(f"{indent}{line}")
    return 0


def _paragraph(record: ModelRecord, parent: ModelRecord | None) -> list[str]:
    history, scores = history_line(record, parent), score_line(record)
    if history and parent is None:
        history += " That model is not here."
    shown = record.display_name if record.display_name == record.name else f"{record.display_name}  ({record.name})"
    return [
        f"{shown}  {history}" if history else f"{shown}  (version {record.version})  {record.title}",
        *([f"    {record.external.in_words}"] if record.external is not None else []),
        f"    takes {', '.join(record.channels)}; gives {record.scheme.title}",
        f"    {f'{scores}; ' if scores else ''}{record.folder}",
    ]


def _rename_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", help="name or folder of the model")
    parser.add_argument("name", metavar="NAME", help="its new name")


def _rename(args: argparse.Namespace, places: tuple[Path, ...]) -> int:
    print(rename_model(find_model(args.model, places), args.name, places).folder)
    return 0


def _compare_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("first", metavar="MODEL", help="name or folder of a model")
    parser.add_argument("second", metavar="OTHER", help="name or folder of the model beside it")
    parser.add_argument("--all", action="store_true", help="settings that are the same too, and scores of every case")


def _compare(args: argparse.Namespace, places: tuple[Path, ...]) -> int:
    models = (find_model(args.first, places), find_model(args.second, places))
    print_comparison(compare(*models, list_models(places)), everything=args.all)
    return 0


def _rollback_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", help="name or folder of a fine-tuned model")
    parser.add_argument("--delete", action="store_true", help="delete MODEL, where the model it comes from is here")


def _rollback(args: argparse.Namespace, places: tuple[Path, ...]) -> int:
    """Print the model to go back to; delete the newer one where that is asked for."""
    record, lineage = find_model(args.model, places), Lineage(list_models(places))
    parent = lineage.roll_back(record)
    print(history_line(record, parent).replace("Fine-tuned", f"{record.display_name} was fine-tuned", 1))
    if args.delete:
        _delete_and_tell(record, lineage, places)
    print(f"Go on with {parent.name}: {parent.folder}")
    return 0


def _export_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", help="name or folder of the model")
    parser.add_argument(
        "out", metavar="OUT.zip", nargs="?", type=Path, default=Path(), help="file or folder (default: here)"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace OUT.zip if it exists")


def _export(args: argparse.Namespace, places: tuple[Path, ...]) -> int:
    record = find_model(args.model, places)
    print(export_model(record, args.out, overwrite=args.overwrite))
    trained = [case for one in trainings_of(record) for case in one.cases.get("train", ())]
    cases = list(dict.fromkeys((*learnt_cases(record), *trained)))
    if cases:
        names = ", ".join(cases[:3]) + (" …" if len(cases) > 3 else "")
        print(f"It names what the model learnt from ({names}): see whether these names may be passed on.")
    return 0


def _import_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("zip", type=Path, metavar="ZIP", help="file that brainseg models export has written")
    parser.add_argument("--name", default="", help="what to call the model (default: as in the file)")


def _import(args: argparse.Namespace, places: tuple[Path, ...]) -> int:
    """Unpack into the project's models, or the user's, and say where."""
    record = import_model(args.zip, places[0] if places else user_data() / "models", name=args.name, places=places)
    history = history_line(record, Lineage(list_models(places)).parent(record))
    if history:
        print(f"{record.display_name}: {history}")
    print(record.folder)
    return 0


def _joined_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="what to call the new model")
    parser.add_argument("models", nargs="+", metavar="MODEL", help="names or folders of two models or more")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder of models to write it to (default: yours)")


def _ensemble(args: argparse.Namespace, places: tuple[Path, ...]) -> int:
    """Join models into one of that folder, of the project's models or the user's, and say where."""
    from napari_brainseg.model_store.joining import join_models  # torch loads here

    folder = _new_folder(args, places)
    record = join_models([find_model(model, places) for model in args.models], folder)
    size = record.weights_path.stat().st_size
    if size > _LARGE:
        print(f"Its weights take {size / 1e6:.1f} MB, more than the {_LARGE / 1e6:.0f} MB that are easily passed on.")
    if "domain" not in record.training:
        print("What its members' cases look like cannot be joined: brainseg models measure records it anew.")
    print(record.folder)
    return 0


def _average(args: argparse.Namespace, places: tuple[Path, ...]) -> int:
    """Write the mean of the weights of models to that folder, the project's models or the user's, and say where."""
    from napari_brainseg.model_store.joining import average_models  # torch loads here
    from napari_brainseg.training.settings import without_place

    folder = _new_folder(args, places)
    command = " ".join(["brainseg models average", args.name, *map(without_place, args.models)])
    print(average_models([find_model(model, places) for model in args.models], folder, command).folder)
    return 0


def _new_folder(args: argparse.Namespace, places: tuple[Path, ...]) -> Path:
    """Return where a model made of others goes.

    Raises:
        ModelError: It cannot be called so.
    """
    reason = why_not_a_name(args.name)
    if not reason and args.out is None and is_taken(args.name, places):
        reason = f"There is a model {args.name} already. Choose another name."
    if reason:
        raise ModelError(reason)
    place: Path = args.out or (places[0] if places else user_data() / "models")
    return place / str(args.name)


def _delete_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", help="name or folder of the model")
    parser.add_argument("--yes", action="store_true", help="really delete it; there is no way back")


def _delete(args: argparse.Namespace, places: tuple[Path, ...]) -> int:
    record = find_model(args.model, places)
    if args.yes:
        _delete_and_tell(record, Lineage(list_models(places)), places)
        return 0
    print(f"{own_folder(record, places)} would be deleted, and there is no way back. Add --yes to do it.")
    return 2


def _delete_and_tell(record: ModelRecord, lineage: Lineage, places: tuple[Path, ...]) -> None:
    children = lineage.children(record)
    delete_model(record, places)
    print(f"Deleted {record.folder}.")
    if children:
        names = ", ".join(one.display_name for one in children)
        was, they = ("was", "It") if len(children) == 1 else ("were", "They")
        print(f"{names} {was} fine-tuned from it. {they} can be used as before, but not be rolled back any more.")


def _measure_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", help="name or folder of the model")
    parser.add_argument("data", type=Path, metavar="DATA", help="folder of the cases that it was trained on")
    parser.add_argument("--split", type=Path, default=None, help="split file; its training part is measured, else all")
    parser.add_argument("--split-name", default="", help="split in that file (default: that of the model's training)")


def _measure(args: argparse.Namespace, places: tuple[Path, ...]) -> int:
    """Record in `model.json` what the model's training cases look like."""
    from napari_brainseg.training.measuring import measure_domain  # torch loads here
    from napari_brainseg.training.splits import read_split

    record = find_model(args.model, places)
    trained = str(record.training.get("settings", {}).get("split_name", "")) or record.name
    ids = read_split(args.split, args.split_name or trained).train if args.split else ()
    measured = run_to_end(measure_domain(record, args.data, ids))
    count = measured.training["domain"]["cases"]
    print(f"{count} {'case was' if count == 1 else 'cases were'} measured: {measured.folder}")
    return 0


COMMANDS = {
    "list": Command("list the models, or print the card of one", _list_arguments, _list),
    "rename": Command("give a model another name", _rename_arguments, _rename),
    "compare": Command("put two models side by side", _compare_arguments, _compare),
    "rollback": Command("say which model to go back to from a fine-tuned one", _rollback_arguments, _rollback),
    "export": Command("write a model as one zip file", _export_arguments, _export),
    "import": Command("take a model from a zip file", _import_arguments, _import),
    "measure": Command("record what a model's training cases look like", _measure_arguments, _measure),
    "add": Command(
        "let a model of nnU-Net or MONAI run in its own environment",
        external_models.add_arguments,
        external_models.add,
    ),
    "allow": Command(
        "let a model that somebody else has added run", external_models.allow_arguments, external_models.allow_model
    ),
    "calibrate": Command(
        "let a model's probabilities mean what they say", calibration.add_arguments, calibration.calibrate
    ),
    "ensemble": Command("join models into one, the mean of what they give", _joined_arguments, _ensemble),
    "average": Command(
        "make one model of several trainings of a network, the mean of their weights", _joined_arguments, _average
    ),
    "delete": Command("delete a model of a project or of yours", _delete_arguments, _delete),
}
