"""What the names that other programs give to labels and regions mean, and which scheme holds them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import product

from napari_brainseg.base.errors import LabelError
from napari_brainseg.cases.labels import SCHEMES, LabelScheme

Tissues = frozenset[str]

_CORE = frozenset({"necrosis", "non-enhancing"})
_NON_ENHANCING, _ENHANCING = frozenset({"non-enhancing"}), frozenset({"enhancing"})
_WHOLE = _CORE | _ENHANCING | {"oedema"}
_NOTHING: Tissues = frozenset()
# The first that fits counts. "Non-enhancing" is the core beside oedema, or a part of it where necrosis has its own.
_MEANINGS: tuple[tuple[str, tuple[Tissues, ...]], ...] = (
    (r"background|bg|healthy|none", (_NOTHING,)),
    (r".*cavity|rc", (frozenset({"cavity"}),)),
    (r"cyst.*|cc", (frozenset({"cyst"}),)),
    (r"whole tumour|wt|tumour|lesion|abnormality|(flair|t2) (abnormality|lesion|hyperintensity)", (_WHOLE,)),
    (r"tumour core|tc|core", (_CORE | _ENHANCING,)),
    (r".*necro.*non enhancing.*|ncr ?net|netc|non enhancing tumour core", (_CORE,)),
    (r"(peritumou?ral )?(oedema|oedematous).*|ed|snfh|.*flair hyperintensity", (frozenset({"oedema"}),)),
    (r".*non enhancing.*|net|nonenhancing.*", (_CORE, _NON_ENHANCING)),
    (r"(necro|ncr).*", (_CORE, frozenset({"necrosis"}))),
    (r"((gd|gadolinium|contrast) )?enhanc.*|et|active tumour", (_ENHANCING,)),
)


def meanings(name: str) -> tuple[Tissues, ...]:
    """Return what a label's name can mean, the likeliest first: tissues, none of them for the background.

    Raises:
        LabelError: The name says nothing that is known here.
    """
    words = re.sub(r"[\W_]+", " ", name.lower()).strip()
    words = words.replace("tumor", "tumour").replace("oedema", "edema").replace("edema", "oedema")
    for text in (words, *reversed(words.split(" ", 1))):  # `TC: Tumor core` says it twice
        for pattern, found in _MEANINGS:
            if re.fullmatch(pattern, text):
                return found
    raise LabelError(f"{name!r} is no label that is known here.")


def classes_of(names: Sequence[str], values: Sequence[int] = ()) -> tuple[LabelScheme, tuple[int, ...]]:
    """Return a scheme that has a class for each label, and the program values of those classes; 0 for the background.

    Args:
        names: What the labels are called.
        values: The number of each in files, which decides between schemes that have the same classes.

    Raises:
        LabelError: A name is not known, or no scheme holds all of the classes.
    """
    found = []
    for wanted in product(*(meanings(name) for name in names)):
        for scheme in SCHEMES.values():
            held = {c.tissues: c for c in scheme.classes} if len(set(wanted)) == len(wanted) else {}
            if all(tissues in held or not tissues for tissues in wanted):
                classes = [held[tissues] if tissues else None for tissues in wanted]
                same = [0 if c is None else c.disk for c in classes] == list(values)
                spare = len(scheme.classes) - sum(c is not None for c in classes)
                found.append((not same, spare, scheme, tuple(0 if c is None else c.value for c in classes)))
    if not found:
        raise LabelError(f"No label scheme has the classes {', '.join(names)} together.")
    _, _, scheme, program = min(found, key=lambda one: one[:2])
    return scheme, program


def regions_of(
    names: Sequence[str], schemes: Iterable[LabelScheme] = SCHEMES.values()
) -> tuple[LabelScheme, tuple[tuple[int, ...], ...]]:
    """Return a scheme whose classes make up these regions, which overlap, and the program values of each region.

    Raises:
        LabelError: A name is not known, or no scheme holds all of the regions.
    """
    wanted = [meanings(name)[0] for name in names]
    for scheme in schemes:
        regions = [tuple(c.value for c in scheme.classes if c.tissues <= tissues) for tissues in wanted]
        covered = [frozenset().union(*(c.tissues for c in scheme.classes if c.tissues <= t)) for t in wanted]
        if covered == wanted and len(set(regions)) == len(regions):
            parts = {frozenset(n for n, region in enumerate(regions) if c.value in region) for c in scheme.classes}
            if len(parts) == len(scheme.classes):  # every class is told apart from the others
                return scheme, tuple(regions)
    raise LabelError(f"No label scheme has the regions {', '.join(names)} together.")


def added_by_each(regions: Mapping[int, Sequence[int]]) -> dict[int, int]:
    """Return for nested regions, by the value that is written for each, the class that it adds to the inner ones.

    Raises:
        LabelError: A region adds no class to those inside, or several.
    """
    added = {}
    for value, classes in regions.items():
        inner = {c for other in regions.values() if set(other) < set(classes) for c in other}
        own = sorted(set(classes) - inner)
        if len(own) != 1:
            raise LabelError(f"The region with the value {value} adds {len(own)} classes to those inside, not one.")
        added[value] = own[0]
    return added
