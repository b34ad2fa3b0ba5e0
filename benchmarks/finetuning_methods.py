"""Ways not to forget, and ways to choose slices, compared on the patients of the measurement `annotation`.

Each way teaches the model from five slices of each patient, whatever would be recommended. Named are the mean gain on
untouched slices of the patients that start below 0.90, the least of all gains, the mean change of others, and seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from statistics import fmean

from benchmarks.annotation import Group, changes_of, gain, groups
from benchmarks.simulated_annotator import answer_of, teach, whole_score
from napari_brainseg.training.finetune_settings import FinetuneSettings

USUAL = FinetuneSettings(device="cpu")
PLAIN = replace(USUAL, rate=3e-4, replay=0, keep=0)
WAYS: Mapping[str, FinetuneSettings] = {
    "as it is": USUAL,
    "keep 0.5": replace(USUAL, keep=0.5),
    "keep 0.65": replace(USUAL, keep=0.65),
    "keep 0.8": replace(USUAL, keep=0.8),
    "with replay 0.5": replace(USUAL, replay=0.5),
    "decoder alone": replace(USUAL, layers="decoder"),
    "rate 3e-4": PLAIN,
    "rate 3e-4, keep 0.5": replace(PLAIN, keep=0.5),
    "rate 3e-4, keep 0.6": replace(PLAIN, keep=0.6),
    "rate 3e-4, replay 0.5": replace(PLAIN, replay=0.5),
    "rate 3e-4, replay 0.5, keep 0.5": replace(PLAIN, replay=0.5, keep=0.5),
    "rate 3e-4, decoder alone": replace(PLAIN, layers="decoder"),
    "rate 3e-4, decoder alone, keep 0.5": replace(PLAIN, layers="decoder", keep=0.5),
    "rate 1e-3, keep 0.7": replace(PLAIN, rate=1e-3, keep=0.7),
}
RANKINGS = ("combined", "uncertainty", "shape", "jumps", "area", "even", "random")
SLICES = 5


def compare(
    group: Group, name: str, settings: FinetuneSettings, ranking: str = "combined", *, others: bool = True
) -> None:
    """Print a line for one way."""
    starts, gains, changes, seconds, kept = [], [], [], [], []
    scores = {other.case.id: whole_score(other, group.model) for other in group.others} if others else {}
    for patient in group.fresh():
        answer = answer_of(patient.case, group.model)
        patient.choose(answer, SLICES, ranking)
        before = patient.untouched(answer.labels)
        taught = teach([patient], group.model, settings)
        starts.append(before)
        gains.append(gain(patient, taught.offered, before))
        kept.append(taught.accepted)
        seconds.append(taught.seconds)
        if others:
            changes.append(changes_of(group.besides(patient), taught.offered, scores))
    low = [value for value, start in zip(gains, starts, strict=True) if start < 0.9]
    followed = [value if accepted else 0.0 for value, accepted in zip(gains, kept, strict=True)]
    told = f", others {fmean(changes):+.4f} (worst {min(changes):+.3f})" if changes else ""
    print(
        f"{group.name}, {name}: {fmean(low):+.3f} on {len(low)} below 0.90, least {min(gains):+.3f}, all "
        f"{fmean(gains):+.3f}{told}, {sum(kept)} of {len(kept)} recommended "
        f"({fmean(followed):+.3f} when that is followed), {fmean(seconds):.1f} s",
        flush=True,
    )


def run() -> None:
    """Print a line for every way not to forget, then for every ranking."""
    for group in groups():
        for name, settings in WAYS.items():
            compare(group, name, settings)
        for ranking in RANKINGS:
            compare(group, f"slices by {ranking}", USUAL, ranking, others=False)
