"""The page that shows what was found: what is odd first, then what is usual."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from napari_brainseg.cases.labels import LabelScheme
from napari_brainseg.evaluation.page import Page
from napari_brainseg.evaluation.pictures import Picture
from napari_brainseg.training.exploring.charts import channel_chart, class_chart, slice_chart, split_chart, tumour_chart
from napari_brainseg.training.exploring.copies import flair_evidence
from napari_brainseg.training.exploring.findings import CaseFacts, Findings, Kind, Sample
from napari_brainseg.training.exploring.repeats import by_cases
from napari_brainseg.training.exploring.shares import part_shares
from napari_brainseg.training.splits import site_of

_BAD = (
    Kind.UNREADABLE,
    Kind.UNREAD_LABELS,
    Kind.NO_MASK,
    Kind.UNKNOWN_VALUE,
    Kind.OUTSIDE,
    Kind.OTHER_GRID,
    Kind.REPEATED,
)
_GREY = (0.85, 0.85, 0.85)
_EXAMPLES = 3
_FAR = 5.0


def page_of(findings: Findings, augmented: Picture | None = None) -> Page:
    """Return the page of what was found.

    Args:
        findings: What was found.
        augmented: Original above augmented views, if they were asked for.
    """
    page = Page(f"Data set {findings.folder}")
    page.numbers(_numbers(findings))
    _odd(page, findings)
    if findings.cases:
        _channels(page, findings)
        _sizes(page, findings.cases)
        _labels(page, findings.cases)
    if findings.splits:
        _splits(page, findings)
    if findings.overlays:
        page.heading("Samples, from the smallest tumour to the largest")
        page.paragraph(f"The slice with most tumour: {_shown_channels(findings)}, then the labels.")
        _pictures(page, findings.overlays)
    if augmented is not None:
        page.heading("Augmentation")
        page.picture(augmented, "Slices as they are in the first row, augmented below, with their labels.")
    _every_case(page, findings)
    return page


def _numbers(findings: Findings) -> list[tuple[str, str]]:
    cases = findings.cases
    numbers = [
        (f"{len(cases)}", "cases"),
        (f"{len({case.patient for case in cases})}", "patients"),
        (f"{len({site_of(case.id) for case in cases})}", "sites, by the names"),
        (f"{sum(case.shape[0] for case in cases):,}", "slices"),
    ]
    labelled = [case for case in cases if case.pixels is not None]
    if labelled:
        with_tumour = np.concatenate([case.tumour > 0 for case in labelled]).mean()
        voxels = sum(int(case.tumour.sum()) for case in labelled) / sum(case.voxels for case in labelled)
        numbers += [(f"{with_tumour:.0%}", "of the slices show tumour"), (f"{voxels:.2%}", "of the voxels are tumour")]
    return numbers


def _odd(page: Page, findings: Findings) -> None:
    page.heading("What is odd")
    found = [kind for kind in Kind if findings.of(kind)]
    checks = [_check(kind, findings) for kind in sorted(found, key=lambda kind: kind not in _BAD)]
    nothing = ", ".join(kind.value[0].lower() for kind in Kind if kind not in found)
    page.checks([*checks, *([("good", "Looked for and not found", nothing, "")] if nothing else [])])
    between = sum(len(o.slices) for o in findings.of(Kind.BLANK_SLICE))
    at_ends = sum(len(case.blank) for case in findings.cases) - between
    usual = f" Slices at the ends of the stacks that show nothing, which is usual: {at_ends}." if at_ends else ""
    page.paragraph(f"Slices are numbered from 0, as in the window.{usual}")
    if findings.oddities:
        rows = [(o.case_id, o.kind.value[0], o.sentence) for o in findings.oddities]
        page.folded_table(f"The whole list ({len(rows)})", ("case", "what", "where"), rows)
    if findings.odd_pictures:
        page.paragraph(f"Examples: {_shown_channels(findings)}, then the labels; a ring marks the place.")
        _pictures(page, findings.odd_pictures)
    if findings.repeats:
        groups = by_cases(findings.repeats)
        pairs = [(a, b if b != a else "itself", len(g), max(r.similarity for r in g)) for (a, b), g in groups.items()]
        page.table(("case", "shows the same as", "slices", "highest correlation"), pairs)
        _pictures(page, findings.repeat_pictures)


def _check(kind: Kind, findings: Findings) -> tuple[str, str, str, str]:
    title, why = kind.value
    found = findings.of(kind)
    cases = len({o.case_id for o in found})
    first = "; ".join(f"{o.case_id}: {o.sentence}" for o in found[:_EXAMPLES])
    more = f"; and {len(found) - _EXAMPLES} more" if len(found) > _EXAMPLES else ""
    result = f"{'1 case' if cases == 1 else f'{cases} cases'} – {first}{more}"
    return "bad" if kind in _BAD else "look", title, result, why


def _channels(page: Page, findings: Findings) -> None:
    page.heading("Channels")
    cases = findings.cases
    if any(case.copies for case in cases) or any({"pre", "post"} & {*case.channels} for case in cases):
        page.paragraph(f"Which colour is FLAIR? {flair_evidence(cases).sentence}")
    names = list(dict.fromkeys(n for case in cases for n in (*case.channels, *case.missing)))
    rows = [(n, sum(n in c.channels for c in cases), sum(n in c.missing for c in cases)) for n in names]
    page.table(("channel", "cases with it", "cases without"), rows)
    page.figure(
        channel_chart(cases),
        "A dot for each case, a bar at the median. Mean and deviation are over voxels that are not 0 in every channel.",
    )
    if far := _far_off(cases):
        page.paragraph(f"Mean more than {_FAR:g} times, or less than a {_FAR:g}th of, the channel's median: {far}.")


def _far_off(cases: Sequence[CaseFacts]) -> str:
    """Return the cases whose intensities are on another scale than the rest, with the channels."""
    means = {n: [c.channels[n].mean for c in cases if n in c.channels] for n in {n for c in cases for n in c.channels}}
    middle = {name: float(np.median(values)) for name, values in means.items()}
    found = []
    for case in cases:
        names = [n for n, c in case.channels.items() if not middle[n] / _FAR <= c.mean <= middle[n] * _FAR]
        if names and all(middle[n] > 0 for n in names):
            found.append(f"{case.id} ({', '.join(names)})")
    return ", ".join(found[:10]) + (f" and {len(found) - 10} more" if len(found) > 10 else "")


def _sizes(page: Page, cases: Sequence[CaseFacts]) -> None:
    page.heading("Sizes")
    page.figure(slice_chart(cases), "A patient's exams are counted together.")
    in_plane = Counter((case.shape[1:], case.spacing) for case in cases)
    rows = [(f"{y} × {x}", _spacing(spacing), count) for ((y, x), spacing), count in in_plane.most_common()]
    page.table(("rows × columns", "spacing (Z × Y × X)", "cases"), rows[:20])
    if len(rows) > 20:
        page.folded_table(f"{len(rows) - 20} more sizes", ("rows × columns", "spacing", "cases"), rows[20:])


def _spacing(spacing: tuple[float, float, float] | None) -> str:
    return "unknown" if spacing is None else " × ".join(f"{s:.3g}" for s in spacing) + " mm"


def _labels(page: Page, cases: Sequence[CaseFacts]) -> None:
    labelled = [case for case in cases if case.pixels is not None]
    page.heading("Labels")
    if not labelled:
        page.paragraph("No case has labels.")
        return
    schemes: dict[str, LabelScheme] = {c.scheme.id: c.scheme for c in labelled if c.scheme is not None}
    for scheme in schemes.values():
        _classes(page, scheme, [c for c in labelled if c.scheme is scheme])
    page.figure(tumour_chart(labelled), "A lesion is a part of the tumour whose voxels touch, corners included.")


def _classes(page: Page, scheme: LabelScheme, cases: Sequence[CaseFacts]) -> None:
    pixels = np.concatenate([case.pixels for case in cases if case.pixels is not None])
    totals = pixels.sum(0)
    tumour = max(1, int(totals[1:].sum()))
    rows = []
    for value, name in enumerate(("background", *(c.long_name for c in scheme.classes))):
        absent = int((pixels[:, value] == 0).sum())
        without = sum(case.pixels[:, value].sum() == 0 for case in cases if case.pixels is not None)
        of_tumour = f"{totals[value] / tumour:.1%}" if value else None
        share = f"{totals[value] / totals.sum():.2%}"
        rows.append((name, f"{totals[value]:,}", share, of_tumour, f"{absent:,} of {len(pixels):,}", int(without)))
    page.paragraph(f"Cases with labels of {scheme.title}: {len(cases)}.")
    page.table(("class", "pixels", "of all", "of the tumour", "slices without it", "cases without it"), rows)
    colours = [_GREY, *(c.colour for c in scheme.classes)]
    page.figure(class_chart([row[0] for row in rows], [int(t) for t in totals], colours), "")


def _splits(page: Page, findings: Findings) -> None:
    parts = part_shares(findings.splits, findings.cases)
    page.heading("Splits")
    foreign = [name for name in findings.splits if not any(part.cases for part in parts if part.split == name)]
    if foreign:
        page.paragraph(f"None of these cases stands in the split {', '.join(foreign)}.")
    parts = [part for part in parts if part.split not in foreign]
    if not parts:
        return
    rows = [
        (
            part.split,
            part.part,
            len(part.cases),
            part.patients,
            part.slices,
            _percent(part.tumour_share, 2),
            _percent(part.tumour_slices, 0),
            len(part.absent) or None,
        )
        for part in parts
    ]
    headers = ("split", "part", "cases", "patients", "slices", "voxels of tumour", "slices with tumour", "absent cases")
    page.table(headers, rows)
    used = {case.id for part in parts for case in part.cases}
    left = [case.id for case in findings.cases if case.id not in used]
    if left:
        page.paragraph(f"Cases in no split: {len(left)} ({', '.join(left[:5])}{' …' if len(left) > 5 else ''}).")
    page.figure(split_chart(parts), "A dot for each case, a bar at the median. No patient stands on two sides.")


def _percent(value: float, digits: int) -> str | None:
    return None if np.isnan(value) else f"{value:.{digits}%}"


def _every_case(page: Page, findings: Findings) -> None:
    page.heading("Every case")
    odd = Counter(o.case_id for o in findings.oddities)
    rows = [
        (
            case.id,
            " × ".join(map(str, case.shape)),
            _spacing(case.spacing),
            ", ".join(case.missing) or None,
            None if case.pixels is None else f"{case.tumour.sum():,}",
            _percent(case.tumour_share, 2),
            None if case.pixels is None else int((case.tumour > 0).sum()),
            None if case.pixels is None else len(case.lesions),
            odd[case.id] or None,
        )
        for case in findings.cases
    ]
    headers = ("case", "Z × Y × X", "spacing", "missing", "tumour voxels", "share", "slices with it", "lesions", "odd")
    page.folded_table(f"{len(rows)} cases", headers, rows)


def _shown_channels(findings: Findings) -> str:
    names = list(dict.fromkeys(n for case in findings.cases for n in case.channels))
    return ", ".join(names) + (" (those that a case has)" if any(case.missing for case in findings.cases) else "")


def _pictures(page: Page, samples: Sequence[Sample]) -> None:
    for sample in samples:
        page.picture(sample.picture, sample.caption)
