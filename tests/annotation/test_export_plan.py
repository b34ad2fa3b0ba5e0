"""Which cases, channels and classes one data set can have."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from case_files import write_case
from corrected_cases import BRATS_SLICES, add_brats, add_lgg, confirm

from napari_brainseg.annotation.export_plan import ExportSettings, common_scheme, plan_export
from napari_brainseg.annotation.project import Project
from napari_brainseg.base.errors import InputError
from napari_brainseg.cases.labels import (
    BRATS2013,
    BRATS2017,
    BRATS2023,
    BRATS2024,
    BRATS_PED,
    LGG,
    MSD,
)
from napari_brainseg.cases.reading import read_case


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project.open_or_create(tmp_path / "project")


def test_without_anything_confirmed_there_is_nothing_to_export(project, tmp_path) -> None:
    case = add_brats(project, tmp_path)
    correction = project.correction(case)
    taken_back = replace(correction, slices=(), taken_back=correction.slices, confirmed=correction.confirmed & False)
    project.save_correction(case, taken_back)
    with pytest.raises(InputError, match="is confirmed, so there is nothing to export"):
        plan_export(project, ExportSettings())


def test_cases_of_two_kinds_need_a_choice_of_channels(project, tmp_path) -> None:
    brats, lgg = add_brats(project, tmp_path), add_lgg(project, tmp_path)
    sentence = (
        f"different channels, which one data set cannot hold: flair, t1, t1ce, t2 (as {brats.id}); "
        f"pre, flair, post (as {lgg.id}). Choose with --channels, as in --channels flair,t1,t1ce,t2."
    )
    with pytest.raises(InputError, match=re.escape(sentence)):
        plan_export(project, ExportSettings())
    plan = plan_export(project, ExportSettings(("pre", "flair", "post")))
    assert ([case.name for case in plan.cases], plan.scheme) == ([lgg.id], LGG)
    assert plan_export(project, ExportSettings(cases=(brats.id,))).channels == ("flair", "t1", "t1ce", "t2")
    # FLAIR is in both, and so is the abnormality as a whole.
    both = plan_export(project, ExportSettings(("flair",)))
    assert ([case.name for case in both.cases], both.scheme) == ([brats.id, lgg.id], LGG)
    with pytest.raises(InputError, match="can have the channels flair, adc"):
        plan_export(project, ExportSettings(("flair", "adc")))


def test_a_case_without_a_channel_is_left_out_and_told(project, tmp_path) -> None:
    whole = add_brats(project, tmp_path)
    folder = write_case(tmp_path, "Brats18_Test_2_1")
    for channel in ("t1", "t2"):
        (folder / f"Brats18_Test_2_1_{channel}.nii.gz").unlink()
    confirm(project, read_case(folder), BRATS_SLICES)
    plan = plan_export(project, ExportSettings())
    assert [case.name for case in plan.cases] == [whole.id]
    assert plan.left_out == (
        "Brats18_Test_2_1 has no t1 and no t2, and every case of a data set has the same channels. "
        "Choose fewer (--channels) to take it along.",
    )
    assert len(plan_export(project, ExportSettings(("flair", "t1ce"))).cases) == 2
    with pytest.raises(InputError, match="No case has every channel: Brats18_Test_2_1 has no t1 and no t2"):
        plan_export(project, ExportSettings(cases=("Brats18_Test_2_1",)))


def test_cases_are_chosen_by_name(project, tmp_path) -> None:
    for number in (1, 2):
        add_brats(project, tmp_path, f"Brats18_Test_{number}_1")
    plan = plan_export(project, ExportSettings(cases=("Brats18_Test_2_1",)))
    assert [case.name for case in plan.cases] == ["Brats18_Test_2_1"]
    with pytest.raises(InputError, match=r"has no case other\. It has Brats18_Test_1_1, Brats18_Test_2_1"):
        plan_export(project, ExportSettings(cases=("Brats18_Test_2_1", "other")))


def test_a_damaged_correction_does_not_stop_the_others(project, tmp_path) -> None:
    add_brats(project, tmp_path)
    other = add_brats(project, tmp_path, "Brats18_Test_2_1")
    (project.find(other) / "corrections" / "1.json").write_text("{")
    plan = plan_export(project, ExportSettings())
    assert [case.name for case in plan.cases] == ["Brats18_Test_1_1"]
    assert "1.json is damaged" in plan.left_out[0]


@pytest.mark.parametrize(
    ("schemes", "target"),
    [
        ((BRATS2017,), MSD),
        ((BRATS2017, BRATS2023, MSD), MSD),
        ((BRATS2013,), BRATS2013),
        ((BRATS2013, BRATS2017), MSD),
        ((BRATS2024,), BRATS2024),
        ((BRATS_PED,), BRATS_PED),
        ((LGG,), LGG),
        ((LGG, BRATS2017), LGG),
    ],
)
def test_the_scheme_holds_every_class(schemes, target) -> None:
    assert common_scheme(schemes) == target


def test_a_cavity_has_no_place_among_tumour() -> None:
    with pytest.raises(InputError, match=r"holds those of BraTS 2024 and Decathlon\. Choose cases of one kind"):
        common_scheme((BRATS2024, BRATS2017))
