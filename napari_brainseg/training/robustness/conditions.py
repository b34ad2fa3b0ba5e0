"""Under which changes of a case a model is measured: each a name, what it is in words, and the change."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from napari_brainseg.base.errors import InputError
from napari_brainseg.cases.case import Case
from napari_brainseg.training.robustness import grid_changes, image_changes
from napari_brainseg.training.robustness.stored_orders import stored_in

PLAIN, ROBUSTNESS, SEQUENCES = "plain", "robustness", "sequences"
ORDERS = ("RAS", "PIR", "ASL")

Change = Callable[[Case, np.random.Generator], Case]


@dataclass(frozen=True)
class Condition:
    """One change of a case.

    Attributes:
        name: Short, for files and commands.
        group: `plain`, `robustness` or `sequences`.
        text: What is changed, in a sentence.
        change: Makes the changed case, labels included; raises `InputError` for a case that it cannot be made of.
        same: Whether the labels should be those of the unchanged case, so that differing voxels are counted.
        present: The sequences that are left, where others are taken away.
    """

    name: str
    group: str
    text: str
    change: Change
    same: bool = False
    present: tuple[str, ...] = ()


UNCHANGED = Condition(PLAIN, PLAIN, "The case as it is.", lambda case, _: case, same=True)


def conditions_for(channels: Sequence[str], only: Sequence[str] = ()) -> tuple[Condition, ...]:
    """Return every condition for a model of these channels, or those that `only` names, alone or by their group.

    Raises:
        InputError: A name is of no condition.
    """
    every = (*_robustness(), *_sequences(channels))
    known = {name for condition in every for name in (condition.name, condition.group)}
    for name in only:
        if name not in known:
            names = ", ".join(dict.fromkeys([ROBUSTNESS, SEQUENCES, *(condition.name for condition in every)]))
            raise InputError(f"There is no condition {name!r}. Choose from {names}.")
    return tuple(c for c in every if not only or c.name in only or c.group in only)


def _sequences(channels: Sequence[str]) -> tuple[Condition, ...]:
    """Return all combinations of present sequences, most of them first."""
    combined = [present for count in range(len(channels), 0, -1) for present in combinations(channels, count)]
    return tuple(
        Condition(
            "+".join(present),
            SEQUENCES,
            f"Only {', '.join(present)}." if len(present) < len(channels) else "All sequences.",
            lambda case, _, present=present: with_channels(case, present),  # type: ignore[misc]
            present=present,
        )
        for present in combined
    )


def with_channels(case: Case, present: Sequence[str]) -> Case:
    """Return the case with these channels alone, as far as it has them; raise `InputError` where it has none."""
    kept = {name: volume for name, volume in case.channels.items() if name in present}
    if not kept:
        raise InputError(f"{case.id} has none of {', '.join(present)}.")
    return case if len(kept) == len(case.channels) else replace(case, channels=kept)


def _robustness() -> tuple[Condition, ...]:
    low, high = image_changes.SHADING
    thick = f"slices {grid_changes.THICK} voxels thick, stored and read as such"
    return tuple(
        Condition(name, ROBUSTNESS, text, change, same=name.startswith(("intensity", "stored")))
        for name, text, change in (
            (
                "noise-5",
                "Gaussian noise, deviation 5 % of the range.",
                lambda c, r: image_changes.with_noise(c, 0.05, r),
            ),
            ("noise-10", "Gaussian noise, 10 % of the range.", lambda c, r: image_changes.with_noise(c, 0.1, r)),
            ("bias-field", f"Smooth shading by factors from {low:g} to {high:g}.", image_changes.with_bias_field),
            ("blur", "Gaussian blur, sigma 1 voxel.", lambda c, _: image_changes.with_blur(c, 1.0)),
            ("rotation+15", "Turned by 15 degrees within the slices.", lambda c, _: grid_changes.turned(c, 15.0)),
            ("rotation-15", "Turned by 15 degrees the other way.", lambda c, _: grid_changes.turned(c, -15.0)),
            ("flip", "Left and right exchanged.", lambda c, _: grid_changes.mirrored(c)),
            ("half-resolution", "Voxels twice as large, as 1 to 2 mm.", lambda c, _: grid_changes.coarser(c)),
            ("intensity-x0.1", "All values times 0.1.", lambda c, _: image_changes.scaled(c, 0.1)),
            ("intensity-x10", "All values times 10.", lambda c, _: image_changes.scaled(c, 10.0)),
            ("8-bit", "Values rounded to 256 levels.", lambda c, _: image_changes.quantised(c)),
            ("saturated", f"A few voxels at {image_changes.SATURATED:g}.", image_changes.saturated),
            *((f"stored-{order}", f"The same voxels in files of order {order}.", _stored(order)) for order in ORDERS),
            *((plane, f"{plane.capitalize()} {thick}.", _thick(plane)) for plane in ("coronal", "sagittal")),
        )
    )


def _stored(order: str) -> Change:
    return lambda case, _: stored_in(case, order)


def _thick(plane: str) -> Change:
    return lambda case, _: grid_changes.thick(case, plane)
