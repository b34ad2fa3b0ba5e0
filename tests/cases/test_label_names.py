"""What other programs call labels, as they stand in published data sets."""

from __future__ import annotations

import pytest

from napari_brainseg.base.errors import LabelError
from napari_brainseg.cases.label_names import added_by_each, classes_of, regions_of


@pytest.mark.parametrize(
    ("names", "values", "scheme", "program"),
    [
        (("edema", "non-enhancing tumor", "enhancing tumour"), (1, 2, 3), "msd", (1, 2, 3)),
        (("NCR/NET", "ED", "ET"), (1, 2, 4), "brats2017", (1, 2, 3)),
        (("background", "NCR", "SNFH", "ET"), (0, 1, 2, 3), "brats2023", (0, 1, 2, 3)),
        (("NETC", "SNFH", "ET", "RC"), (1, 2, 3, 4), "brats2024", (1, 2, 3, 4)),
        (("ET", "NET", "CC", "ED"), (1, 2, 3, 4), "brats-ped", (1, 2, 3, 4)),
        (("necrosis", "edema", "non-enhancing tumor", "enhancing tumor"), (1, 2, 3, 4), "brats2013", (1, 2, 3, 4)),
        (("GD-enhancing tumor", "peritumoral edema", "necrotic tumor core"), (1, 2, 3), "brats2017", (3, 2, 1)),
        (("tumor",), (1,), "lgg", (1,)),
    ],
)
def test_classes_are_known_by_their_names(
    names: tuple[str, ...], values: tuple[int, ...], scheme: str, program: tuple[int, ...]
) -> None:
    found, own = classes_of(names, values)
    assert (found.id, own) == (scheme, program)


def test_regions_are_known_by_their_names() -> None:
    scheme, regions = regions_of(("TC: Tumor core", "Whole tumor", "ET"))
    assert (scheme.id, regions) == ("brats2017", ((1, 3), (1, 2, 3), (3,)))
    assert added_by_each({1: regions[1], 2: regions[0], 3: regions[2]}) == {1: 2, 2: 1, 3: 3}
    assert regions_of(("WT", "TC", "ET", "resection cavity"))[0].id == "brats2024"


def test_what_is_not_known_or_does_not_fit_is_named() -> None:
    with pytest.raises(LabelError, match="'hippocampus'"):
        classes_of(("edema", "hippocampus"), (1, 2))
    with pytest.raises(LabelError, match="resection cavity, cyst together"):
        classes_of(("resection cavity", "cyst"), (1, 2))
    with pytest.raises(LabelError, match="adds 2 classes"):
        added_by_each({1: (1, 2, 3), 2: (3,)})
