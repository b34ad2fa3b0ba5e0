"""The tables of a model card, Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from napari_brainseg.evaluation.measures import BY_NAME
from napari_brainseg.model_store.card_facts import OF_CASES, OF_SLICES

NOTHING = "–"


def table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; a bar within a cell is kept from ending it."""
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def number(value: object, *, sign: bool = False) -> str:
    """Return a number with three decimals, a dash for none."""
    if not isinstance(value, int | float):
        return NOTHING
    return f"{value:+.3f}" if sign else f"{value:.3f}"


def mean_tables(scores: Mapping[str, Any]) -> list[str]:
    """Return the means of a set with their 95 % intervals: of cases, and of slices."""
    return [
        table(
            ["", *(BY_NAME[name].title for name in names if name in BY_NAME)],
            [
                [f"**{region}**", *(_with_interval(row.get(name)) for name in names if name in BY_NAME)]
                for region, row in scores["set"].items()
            ],
        )
        for names in (OF_CASES, OF_SLICES)
        if any(name in row for row in scores["set"].values() for name in names)
    ]


def case_table(scores: Mapping[str, Any]) -> str:
    """Return the scores of each case, the measures of a region beside each other."""
    regions = list(scores["set"])
    titles = [f"{region} {BY_NAME[name].title}" for region in regions for name in OF_CASES]
    rows = [
        [case, *(number(row[region].get(name)) for region in regions for name in OF_CASES)]
        for case, row in scores["cases"].items()
    ]
    return table(["case", *titles], rows)


def dice_table(scores: Mapping[str, Mapping[str, Any]]) -> str:
    """Return Dice per case, the mean first, of what a training found itself; `scores` has `mean` and `cases`."""
    mean = scores.get("mean", {})
    cases = {"**mean**": mean, **scores.get("cases", {})}
    return table(["case", *mean], [[case, *(number(row.get(r)) for r in mean)] for case, row in cases.items()])


def sequence_table(facts: Mapping[str, Any], channels: Sequence[str]) -> str:
    """Return Dice for each combination of sequences, and in brackets the difference to all of them."""
    regions = list(facts["plain"]["mean"])
    rows = [
        [*("yes" if c in entry.get("present", ()) else NOTHING for c in channels), *_changes(entry, regions)]
        for entry in facts["groups"].get("sequences", ())
    ]
    return table([*channels, *regions], rows)


def robustness_table(facts: Mapping[str, Any]) -> str:
    """Return Dice under each change, the difference in brackets, and how many labels changed where none should."""
    regions = list(facts["plain"]["mean"])
    entries = facts["groups"].get("robustness", ())
    counted = any(entry.get("changed_voxels") is not None for entry in entries)
    rows = [["The cases as they are.", *(number(facts["plain"]["mean"][r]) for r in regions), *[NOTHING] * counted]]
    for entry in entries:
        changed = entry.get("changed_voxels")
        last = [NOTHING if changed is None else f"{changed:,}"] if counted else []
        rows.append([entry["text"], *_changes(entry, regions), *last])
    return table(["change", *regions, *["voxels that differ, at most"] * counted], rows)


def calibration_table(regions: Mapping[str, Mapping[str, Any]], temperatures: Mapping[str, float]) -> str:
    """Return each output's temperature and its expected calibration error before and after."""
    rows = [
        [f"**{name}**", *(number(v) for v in (temperatures.get(name), one["before"]["ece"], one["after"]["ece"]))]
        for name, one in regions.items()
    ]
    return table(["", "temperature", "calibration error before", "after"], rows)


def _changes(entry: Mapping[str, Any], regions: Sequence[str]) -> list[str]:
    pairs = ((entry["mean"].get(region), entry["difference"].get(region)) for region in regions)
    return [f"{number(mean)} ({number(change, sign=True)})" for mean, change in pairs]


def _with_interval(found: Mapping[str, Any] | None) -> str:
    if found is None or found.get("mean") is None:
        return NOTHING
    return f"{number(found['mean'])} ({number(found['low'])} to {number(found['high'])})"
