"""What a model's inputs look like, recorded with it, and in one sentence how a case is unlike them. Loads no torch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any, Self
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from napari_brainseg.cases.case import Case
from napari_brainseg.cases.volume import Shape, Spacing
from napari_brainseg.model_store.store import ModelRecord

Range = tuple[float, float]
Look = tuple[float, ...]

_SAMPLED = (32, 64, 64)  # about as many voxels along (Z, Y, X) are looked at
_FEWEST_VOXELS = 300  # of the head, below which its statistics say nothing
_FEWEST_CASES = 5  # below which the looks of channels are not learnt
_THICKER = 2.5  # times the spacing of the training: half the resolution is still near what augmentation shows
_SAME_VIEW = 1.6  # times more or fewer pixels than in training; heads were four fifths of the picture and more there
_MOST_ENLARGED = 4.0  # times, beyond which too little of a head is left to see
_TILT = 15.0  # degrees beyond those of the training
_BACKGROUND = 0.15  # share of empty voxels around the brain beyond the training's range
_NEGATIVE = 0.005  # share of voxels below 0 beyond the training's
_SAME = 0.9999  # rank correlation of two copies of one image
_OUTLIER = 16.0  # squared deviations count up to this each, so that one odd number does not decide
_LEAST_EVIDENCE = 10.0  # in units of twice the log-likelihood: odds of 150 to 1
# Times the evidence where the grid is another, as thick slices mix tissues: with 5 mm slices the strongest for a wrong
# swap among 14 BraTS cases is 2.6 times the least, and nine in ten of FLAIR, T1 or T1ce with T2 have 3 times.
_LESS_SURE = 3.0
_PLANES = ("axial", "coronal", "sagittal")


@dataclass(frozen=True)
class CaseFacts:
    """What one case looks like.

    Attributes:
        shape: Voxels along (Z, Y, X).
        spacing: mm along (Z, Y, X), or None where it is unknown.
        tilt: Degrees between the grid's axes and the patient's, or None where the place in space is unknown.
        background: Share of voxels that are 0 in every channel within the box around the head; about half of it
            where the skull was stripped.
        negative: Share of voxels below 0 and the lowest value, by channel.
        looks: By channel, logarithms of the 5th, 25th, 75th, 95th and 99th percentile over the median within the head;
            by two channels in alphabetical order (`flair+t1`), their rank correlation there.
    """

    shape: Shape
    spacing: Spacing | None
    tilt: float | None
    background: float
    negative: Mapping[str, Range]
    looks: Mapping[str, Look]


@dataclass(frozen=True)
class Domain:
    """What the training cases of a model looked like.

    Attributes:
        cases: How many were measured.
        spacing: Smallest and largest mm along (Z, Y, X), or None where it was not known of all.
        pixels: Smallest and largest of the longer sides of their slices, or None where that was not recorded.
        tilt: Largest tilt in degrees, or None where it was not known of all.
        background: Smallest and largest share of empty voxels around the head.
        negative: Largest share of voxels below 0.
        looks: Median and spread of every number of `CaseFacts.looks`, by channel and by two channels.
        evidence: How much better the looks must fit other channels before that is said.
    """

    cases: int
    spacing: tuple[Range, Range, Range] | None
    tilt: float | None
    background: Range
    negative: float
    looks: Mapping[str, tuple[Range, ...]]
    evidence: float = _LEAST_EVIDENCE
    pixels: Range | None = None

    @classmethod
    def of(cls, facts: Sequence[CaseFacts], channels: Sequence[str]) -> Self:
        """Return what these cases, one at least, have in common; `channels` are the model's."""
        spacings = [f.spacing for f in facts if f.spacing is not None]
        tilts = [f.tilt for f in facts if f.tilt is not None]
        ranges = [(min(values), max(values)) for values in zip(*spacings, strict=True)]
        return cls(
            cases=len(facts),
            spacing=(ranges[0], ranges[1], ranges[2]) if len(spacings) == len(facts) else None,
            tilt=max(tilts) if len(tilts) == len(facts) else None,
            background=(min(f.background for f in facts), max(f.background for f in facts)),
            negative=max((share for f in facts for share, _ in f.negative.values()), default=0.0),
            looks=_learnt([f.looks for f in facts], channels),
            evidence=_needed_evidence([f.looks for f in facts], channels),
            pixels=(float(min(max(f.shape[1:]) for f in facts)), float(max(max(f.shape[1:]) for f in facts))),
        )

    @classmethod
    def from_json(cls, facts: object) -> Self | None:
        """Return what `to_json` gave; None where it is something else, as a description may come from anybody."""
        try:
            given = dict(facts)  # type: ignore[call-overload]
            spacing = given["spacing"]
            ranges = None if spacing is None else [_range(one) for one in spacing]
            return cls(
                cases=int(given["cases"]),
                spacing=None if ranges is None else (ranges[0], ranges[1], ranges[2]),
                tilt=None if given["tilt"] is None else float(given["tilt"]),
                background=_range(given["background"]),
                negative=float(given["negative"]),
                looks={str(name): tuple(_range(one) for one in look) for name, look in given["looks"].items()},
                evidence=float(given["evidence"]),
                pixels=None if given.get("pixels") is None else _range(given["pixels"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError, IndexError):
            return None

    def field_of_view(self, shape: Sequence[int]) -> float:
        """Return by what slices of a case, (Z, Y, X) voxels, must be enlarged to be as many pixels wide as those here.

        1 where that is not far off, as the case may be a part, or so far off that too little is left to see, or where
        the size of pixels is known here.
        """
        if self.pixels is None or self.spacing is not None or min(*self.pixels, *shape) <= 0:
            return 1.0
        (low, high), side = self.pixels, max(shape[1:])
        factor = min(max(side, low), high) / side
        return factor if _SAME_VIEW < max(factor, 1 / factor) <= _MOST_ENLARGED else 1.0

    def to_json(self) -> dict[str, Any]:
        """Return plain values for `model.json`, to four digits."""
        rounded: dict[str, Any] = _rounded(asdict(self))
        return rounded


_MEASURED: WeakKeyDictionary[Case, CaseFacts] = WeakKeyDictionary()


def measure_case(case: Case) -> CaseFacts:
    """Return what a case looks like, from every few voxels of it; measured once for each case."""
    known = _MEASURED.get(case)
    if known is None:
        known = _MEASURED[case] = _measured(case)
    return known


def unlike_in_words(case: Case, records: Iterable[ModelRecord]) -> tuple[str, ...]:
    """Return how a case is unlike what the models were made for, one short sentence each and at most two a model."""
    told: dict[str, None] = {}
    for record in records:
        domain = Domain.from_json(record.training.get("domain"))
        if domain is not None and case.channels:
            told.update(dict.fromkeys(unlike(domain, measure_case(case), record.display_name)))
    return tuple(told)


def unlike(domain: Domain, facts: CaseFacts, model: str) -> list[str]:
    """Return at most two sentences on what is odd about a case for a model, the gravest first; none where all fits."""
    # Where the background is not 0, nothing can be said of the skull.
    odd = list(_values_in_words(domain, facts, model)) or list(_skull_in_words(domain, facts, model))
    # The looks are those of the whole head, so they say nothing of the order where the head is another.
    grid = list(_grid_in_words(domain, facts, model))
    channels = [] if odd else _channels_in_words(domain, facts, _LESS_SURE if grid else 1)
    return [*odd, *channels, *grid][:2]


def _values_in_words(domain: Domain, facts: CaseFacts, model: str) -> Iterator[str]:
    below = {n: lowest for n, (share, lowest) in facts.negative.items() if share > domain.negative + _NEGATIVE}
    if below:
        name = min(below, key=lambda one: below[one])
        yield (
            f"{name} has values below 0 (to {below[name]:.4g}), as CT or normalised images have; "
            f"{model} was made for plain MR intensities: give it the images as they were scanned."
        )


def _skull_in_words(domain: Domain, facts: CaseFacts, model: str) -> Iterator[str]:
    low, high = domain.background
    if facts.background < low - _BACKGROUND:
        yield f"Skull and scalp are in the images; {model} was made for skull-stripped ones: strip the skull first."
    elif facts.background > high + _BACKGROUND:
        yield (
            f"The brain alone is in the images; {model} was made for whole heads: "
            "take them before skull stripping, or expect a worse result."
        )


def _grid_in_words(domain: Domain, facts: CaseFacts, model: str) -> Iterator[str]:
    if domain.field_of_view(facts.shape) != 1 and domain.pixels is not None:
        yield (
            f"The slices are {max(facts.shape[1:])} pixels wide, those that {model} was made for "
            f"{domain.pixels[1]:.0f}: they are taken for whole heads at another pixel size. If they are parts of "
            "slices, give the whole ones."
        )
    if domain.spacing is not None and facts.spacing is not None:
        excess = [own / high for own, (_, high) in zip(facts.spacing, domain.spacing, strict=True)]
        axis = int(np.argmax(excess))
        if excess[axis] > _THICKER:
            yield (
                f"The images have {facts.spacing[axis]:.1f} mm {_PLANES[axis]} slices; {model} was made for "
                f"{domain.spacing[axis][1]:.1f} mm: expect a worse result."
            )
    if domain.tilt is not None and facts.tilt is not None and facts.tilt > domain.tilt + _TILT:
        yield (
            f"The slices are tilted by {facts.tilt:.0f} degrees against the patient's axes; {model} was made for "
            "straight ones: expect a worse result, or register the images to an atlas first."
        )


def _channels_in_words(domain: Domain, facts: CaseFacts, caution: float) -> list[str]:
    """Return which channels look like others; `caution` is how many times the usual evidence that takes."""
    channels = [name for name in domain.looks if "+" not in name]
    looks = {name: look for name, look in facts.looks.items() if set(name.split("+")) <= set(channels)}
    copies = [name.split("+") for name, look in looks.items() if "+" in name and look[0] > _SAME]
    if copies:
        return [f"{copies[0][0]} and {copies[0][1]} are the same image: check the channels under Case."]
    evidence, other = _likelier(domain.looks, looks, channels)
    # With fewer sequences there is less to compare, and the cases of the training had all of them.
    needed = caution * domain.evidence * (2 if len(other) == 1 else 1)
    if evidence <= needed:
        return []
    first = next(iter(other))
    if len(other) == 2:
        return [f"{first} and {other[first]} look swapped: check the channels under Case."]
    as_named = _deviation(domain.looks, looks, {})
    likely = [one for one in channels if as_named - _deviation(domain.looks, looks, {first: one}) > needed]
    absent = " or ".join(one for one in likely if one not in looks)
    return [f"{first} looks like {absent}: check the channels under Case."]


def _measured(case: Case) -> CaseFacts:
    steps = tuple(slice(None, None, max(1, round(n / m))) for n, m in zip(case.geometry.shape, _SAMPLED, strict=True))
    images = {name: np.asarray(volume.data[steps], np.float32) for name, volume in case.channels.items()}
    head = _head(list(images.values()))
    negative = {name: (float((image < 0).mean()), float(image.min())) for name, image in images.items()}
    looks: dict[str, Look] = {}
    background = 0.0
    if np.count_nonzero(head) >= _FEWEST_VOXELS:
        empty = np.logical_and.reduce([image == 0 for image in images.values()])
        background = float(empty[_box(head)].mean())
        looks = _looks({name: image[head] for name, image in images.items()})
    return CaseFacts(case.geometry.shape, case.geometry.spacing, _tilt(case), background, negative, looks)


def _head(images: Sequence[NDArray[np.float32]]) -> NDArray[np.bool_]:
    """Return where the mean of the channels, each relative to its brightest, is not dark; whatever their order."""
    tops = [max(float(np.percentile(image, 99.5)), 1e-6) for image in images]
    return np.asarray(sum(i / np.float32(top) for i, top in zip(images, tops, strict=True)) > 0.1 * len(images))


def _box(mask: NDArray[np.bool_]) -> tuple[slice, ...]:
    places = [np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != axis))) for axis in range(3)]
    return tuple(slice(int(p[0]), int(p[-1]) + 1) for p in places)


def _looks(values: Mapping[str, NDArray[np.float32]]) -> dict[str, Look]:
    """Return the looks of channels, from their values within the head; of those that are bright there at all."""
    looks: dict[str, Look] = {}
    ranks = {}
    for name, inside in sorted(values.items()):
        low, lower, middle, higher, high, top = np.percentile(inside, (5, 25, 50, 75, 95, 99))
        if middle <= 0:
            continue
        ratios = np.log(np.maximum([low, lower, higher, high, top], 1e-3 * middle) / middle)
        looks[name] = tuple(float(one) for one in ratios.clip(-3, 3))
        ranks[name] = _ranks(inside)
    for (first, one), (second, other) in combinations(ranks.items(), 2):
        if one.std() > 0 and other.std() > 0:
            looks[f"{first}+{second}"] = (float(np.corrcoef(one, other)[0, 1]),)
    return looks


def _ranks(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the ranks of values; equal ones share their mean rank. As SciPy's, whose import takes half a second."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((counts.cumsum() - (counts - 1) / 2)[places])


def _tilt(case: Case) -> float | None:
    affine = case.geometry.memory_affine
    if affine is None:
        return None
    axes = affine[:3, :3] / np.maximum(np.linalg.norm(affine[:3, :3], axis=0), 1e-9)
    return float(np.degrees(np.arccos(np.abs(axes).max(axis=0).clip(0, 1).min())))


def _learnt(looks: Sequence[Mapping[str, Look]], channels: Sequence[str]) -> dict[str, tuple[Range, ...]]:
    """Return median and spread of every look of the channels; of those that too few cases have, nothing."""
    names = [*channels, *(f"{a}+{b}" for a, b in combinations(sorted(channels), 2))]
    learnt: dict[str, tuple[Range, ...]] = {}
    for name in names:
        values = np.array([one[name] for one in looks if name in one])
        if len(values) < _FEWEST_CASES:
            continue
        middle = np.median(values, axis=0)
        spread = np.maximum(1.4826 * np.median(np.abs(values - middle), axis=0), 0.05)
        learnt[name] = tuple((float(m), float(s)) for m, s in zip(middle, spread, strict=True))
    return learnt


def _needed_evidence(looks: Sequence[Mapping[str, Look]], channels: Sequence[str]) -> float:
    """Return a tenth more than the strongest evidence for other channels among the cases, each left out in turn."""
    strongest = 0.0
    for index, own in enumerate(looks):
        others = _learnt([*looks[:index], *looks[index + 1 :]], channels)
        strongest = max(strongest, _likelier(others, own, channels)[0])
    return max(_LEAST_EVIDENCE, 1.1 * strongest)


def _likelier(
    learnt: Mapping[str, tuple[Range, ...]], looks: Mapping[str, Look], channels: Sequence[str]
) -> tuple[float, dict[str, str]]:
    """Return what else the channels may rather be, those that change by name, and the evidence for it (> 0) or not."""
    present = [name for name in channels if name in looks]
    absent = [name for name in channels if name not in looks]
    changes = [{one: other, other: one} for one, other in combinations(present, 2)]
    changes += [{one: other} for one in present for other in absent]
    as_named = _deviation(learnt, looks, {})
    found = [(as_named - _deviation(learnt, looks, change), change) for change in changes]
    return max(found, key=lambda one: one[0], default=(0.0, {}))


def _deviation(learnt: Mapping[str, tuple[Range, ...]], looks: Mapping[str, Look], change: Mapping[str, str]) -> float:
    """Return minus twice the log-likelihood of looks, were channels those of `change`; infinite where not known."""
    total = 0.0
    for name, look in looks.items():
        taken = "+".join(sorted(change.get(one, one) for one in name.split("+")))
        if taken not in learnt:
            if taken != name:
                return float("inf")
            continue
        for value, (middle, spread) in zip(look, learnt[taken], strict=True):
            total += min(((value - middle) / spread) ** 2, _OUTLIER) + 2 * float(np.log(spread))
    return total


def _range(values: Any) -> Range:
    low, high = values
    return float(low), float(high)


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, Mapping):
        return {name: _rounded(one) for name, one in value.items()}
    return [_rounded(one) for one in value] if isinstance(value, tuple | list) else value
