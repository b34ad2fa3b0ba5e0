"""Correcting and teaching, by a simulated annotator on patients that the model has never seen.

Needs BRAINSEG_DATA and `BRAINSEG_CROSS_VALIDATION`, the folder `runs/second` of `docs/studies/shipped_models.md`: the
networks of the first fold of LGG and of two folds of BraTS (`lgg-1/lgg`, `brats-1/brats`, `brats-3/brats`) are taught
on the cases that they did not learn from. `annotation_groups.json` says which of these are annotated; the others show
what is forgotten.

Compared are (a) no fine-tuning, with the same ranking of slices, (b) the common recipe of the peers
(`plain_finetuning`), and (c) random slices.
"""

from __future__ import annotations

import json
import os
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from benchmarks.plain_finetuning import plain_finetuned, plain_steps
from benchmarks.simulated_annotator import Patient, Taught, answer_of, teach, whole_score
from napari_brainseg.cases.reading import find_cases, read_case
from napari_brainseg.model_store.model import Model, load_model
from napari_brainseg.training.finetune_settings import FinetuneSettings

HERE = Path(__file__).parent
GROUPS = ("lgg-1", "brats-1", "brats-3")
_FOLDERS = {"lgg": "kaggle_3m", "brats": "BraTS18"}
COUNTS = (3, 5, 10)
ENOUGH = 0.95
A_ROUND = 3  # slices that are corrected before the model is taught again
TRANSFER = 5  # cases that are corrected one after the other


@dataclass(frozen=True, eq=False)
class Group:
    """A model, the patients that are annotated, and others that it has not seen either."""

    name: str
    model: Model
    annotated: tuple[Patient, ...]
    others: tuple[Patient, ...]

    def besides(self, patient: Patient) -> list[Patient]:
        """Return the others but for one: those of BraTS are the whole fold, the annotated among them."""
        return [other for other in self.others if other.case.id != patient.case.id]

    def fresh(self) -> Iterator[Patient]:
        """Yield the annotated patients with nothing corrected."""
        for patient in self.annotated:
            yield patient.fresh()


def groups(names: Sequence[str] = GROUPS) -> list[Group]:
    """Return what there is to work on; empty, with a line, where data or models are missing."""
    data, runs = os.environ.get("BRAINSEG_DATA"), os.environ.get("BRAINSEG_CROSS_VALIDATION")
    if not data or not runs:
        print("annotation: set BRAINSEG_DATA and BRAINSEG_CROSS_VALIDATION")
        return []
    members = json.loads((HERE / "annotation_groups.json").read_text())
    found = []
    for name in names:
        kind = name.partition("-")[0]
        model = load_model(Path(runs) / name / kind)
        files = {f.id: f for f in find_cases(Path(data) / _FOLDERS[kind])}
        parts = {
            part: tuple(Patient.of(read_case(files[case_id]), model) for case_id in members[name][part])
            for part in ("annotated", "others")
        }
        found.append(Group(name, model, parts["annotated"], parts["others"]))
    return found


def after_some_slices(group: Group, settings: FinetuneSettings) -> dict[str, list[float]]:
    """Print Dice on untouched slices after 3, 5 and 10 corrected ones; return what changed for others, by way."""
    scores = {other.case.id: whole_score(other, group.model) for other in group.others}
    changed = defaultdict(list)
    for patient in group.fresh():
        answer = answer_of(patient.case, group.model)
        for count in COUNTS:
            patient.corrected.clear()
            patient.choose(answer, count)
            before = patient.untouched(answer.labels)
            taught = teach([patient], group.model, settings)
            plain, plain_seconds = plain_finetuned([patient], group.model)
            gained = {
                "ours": gain(patient, taught.model, before),
                "offered": gain(patient, taught.offered, before),
                "b": gain(patient, plain, before),
            }
            lost = {}
            if count == 5:
                models = {"ours": taught.model, "offered": taught.offered, "b": plain}
                lost = {way: changes_of(group.besides(patient), model, scores) for way, model in models.items()}
                random = patient.fresh()
                random.choose(answer, count, "random")
                by_chance = teach([random], group.model, settings)
                gained["c"] = gain(random, by_chance.model, random.untouched(answer.labels))
            for way, value in gained.items():
                changed[f"gain {count} {way}"].append(value)
            for way, value in lost.items():
                changed[f"others {way}"].append(value)
            changed[f"start {count}"].append(before)
            changed[f"seconds {count}"].append(taught.seconds)
            told = ", ".join(f"{way} {value:+.3f}" for way, value in gained.items())
            forgot = "; others " + ", ".join(f"{way} {value:+.3f}" for way, value in lost.items()) if lost else ""
            print(
                f"{group.name} {patient.case.id}, {count} slices: untouched {before:.3f}; {told}{forgot}; "
                f"{'accepted' if taught.accepted else 'discarded'} ({taught.reason}), {taught.seconds:.1f} s "
                f"(b {plain_seconds:.1f} s)",
                flush=True,
            )
    return changed


def gain(patient: Patient, model: Model, before: float) -> float:
    """Return what Dice on the untouched slices has changed by."""
    return patient.untouched(answer_of(patient.case, model).labels) - before


def changes_of(others: Sequence[Patient], model: Model, scores: Mapping[str, float]) -> float:
    """Return the mean change of Dice of other patients; `scores` are those of the model as it was."""
    return fmean(whole_score(other, model) - scores[other.case.id] for other in others)


def slices_until_enough(group: Group, settings: FinetuneSettings) -> list[tuple[int, int]]:
    """Print and return how many slices must be corrected until a case is good, with teaching and without."""
    counts = []
    for with_teaching in group.fresh():
        without = with_teaching.fresh()
        answer = answer_of(without.case, group.model)
        while without.repaired(answer.labels) < ENOUGH:
            without.choose(answer, 1)
        model, now = group.model, answer
        while with_teaching.repaired(now.labels) < ENOUGH:
            with_teaching.choose(now, 1)
            if len(with_teaching.corrected) % A_ROUND == 0 and with_teaching.repaired(now.labels) < ENOUGH:
                model = teach([with_teaching], model, settings).model
                now = answer_of(with_teaching.case, model)
        counts.append((len(with_teaching.corrected), len(without.corrected)))
        print(
            f"{group.name} {without.case.id}: {counts[-1][0]} slices with teaching, {counts[-1][1]} without", flush=True
        )
    return counts


def transfer(group: Group, settings: FinetuneSettings) -> float:
    """Print and return what changes for other patients after some cases were corrected, each with five slices."""
    scores = {other.case.id: whole_score(other, group.model) for other in group.others}
    model, done = group.model, []
    for patient in list(group.fresh())[:TRANSFER]:
        patient.choose(answer_of(patient.case, model), 5)
        done.append(patient)
        model = teach(done, model, settings).model
    change = changes_of(group.others, model, scores)
    print(f"{group.name}: others after {len(done)} corrected cases {change:+.4f}", flush=True)
    return change


def seconds(group: Group, settings: FinetuneSettings) -> None:
    """Print the time from click to table for ten slices, and that of the plain recipe at equal held-out Dice."""
    patient = next(group.fresh())
    answer = answer_of(patient.case, group.model)
    patient.choose(answer, 10)
    start = time.perf_counter()
    taught: Taught = teach([patient], group.model, settings)
    for model in (group.model, taught.offered):
        answer_of(patient.case, model)
    whole = time.perf_counter() - start
    reached = gain(patient, taught.offered, 0.0)
    plain = next(
        (spent for spent, model in plain_steps([patient], group.model, 400) if gain(patient, model, 0.0) >= reached),
        None,
    )
    told = f"{plain:.1f} s, {plain / taught.seconds:.1f} x ours" if plain else "never in 400 steps"
    print(
        f"{group.name}, {patient.case.id}, 10 slices: {whole:.1f} s from click to table and difference (learning and "
        f"scores {taught.seconds:.1f} s); plain fp32 recipe until as good on untouched slices: {told}",
        flush=True,
    )


def run() -> None:
    """Print everything, a line for each patient, then means."""
    settings, found = FinetuneSettings(device="cpu"), groups()
    every: dict[str, list[float]] = defaultdict(list)
    counts: list[tuple[int, int]] = []
    for group in found:
        seconds(group, settings)
        for name, values in after_some_slices(group, settings).items():
            every[name] += values
        counts += slices_until_enough(group, settings)
        if len(group.annotated) >= TRANSFER:
            transfer(group, settings)
    for count in COUNTS if found else ():
        low = [i for i, start in enumerate(every[f"start {count}"]) if start < 0.9]
        means = {
            way: fmean(every[f"gain {count} {way}"][i] for i in low)
            for way in ("ours", "offered", "b", "c")[: 4 if count == 5 else 3]
        }
        worse = sum(gain < -0.01 for gain in every[f"gain {count} ours"])
        told = ", ".join(f"{way} {value:+.3f}" for way, value in means.items())
        print(f"{count} slices, {len(low)} cases below 0.90: {told}; ours worse by more than 0.01 on {worse}")
    if found:
        print("others: " + ", ".join(f"{way} {fmean(every[f'others {way}']):+.4f}" for way in ("ours", "offered", "b")))
        ours, without = (sum(pair[i] for pair in counts) for i in (0, 1))
        print(f"slices until {ENOUGH}: {ours} with teaching, {without} without: {100 * ours / without:.0f} %")
