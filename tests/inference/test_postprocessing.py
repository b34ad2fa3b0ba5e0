"""Rules on labels of a few voxels, whose results can be told by hand."""

import numpy as np
import pytest

from napari_brainseg.base.errors import InputError
from napari_brainseg.cases.labels import BRATS2013, BRATS2017, BRATS2024, BRATS_PED, LGG, MSD, LabelScheme
from napari_brainseg.inference.postprocessing import PostProcessing, post_process

ONE = (1.0, 1.0, 1.0)


def empty() -> np.ndarray:
    return np.zeros((9, 12, 14), np.uint8)


def shell(value: int) -> np.ndarray:
    """A box of 5 x 5 x 5 voxels of a class around one voxel of nothing."""
    labels = empty()
    labels[2:7, 3:8, 4:9] = value
    labels[4, 5, 6] = 0
    return labels


def test_nothing_is_done_unless_it_is_asked_for() -> None:
    labels = shell(2)
    result, notes = post_process(labels, BRATS2017, ONE, PostProcessing())
    np.testing.assert_array_equal(result, labels)
    assert notes == ()


def test_small_components_of_the_outermost_region_become_background() -> None:
    labels = empty()
    labels[1:3, 1:3, 1:3] = 2  # 8 voxels of 6 mm³
    labels[5, 5, 5:12] = 3  # 7 voxels
    labels[8, 11, 0] = 1  # 1 voxel
    before = labels.copy()
    result, notes = post_process(labels, BRATS2017, (3.0, 2.0, 1.0), PostProcessing(min_volume=48))
    assert notes == ("Removed 2 components of WT under 48 mm³ (8 voxels).",)
    np.testing.assert_array_equal(np.argwhere(result), np.argwhere(before == 2))
    np.testing.assert_array_equal(labels, before)


def test_components_that_touch_at_a_corner_are_one() -> None:
    labels = empty()
    labels[1, 1, 1], labels[2, 2, 2] = 2, 3
    result, notes = post_process(labels, BRATS2017, ONE, PostProcessing(min_volume=2))
    np.testing.assert_array_equal(result, labels)
    assert notes == ()


def test_a_cavity_is_no_part_of_the_tumour_and_stays() -> None:
    labels = empty()
    labels[1, 1, 1], labels[5, 5, 5] = 2, 4
    result, _ = post_process(labels, BRATS2024, ONE, PostProcessing(min_volume=10))
    assert result[1, 1, 1] == 0
    assert result[5, 5, 5] == 4


def test_volumes_without_a_spacing_are_voxels_and_said_to_be() -> None:
    labels = empty()
    labels[1, 1, 1:4] = 1
    result, notes = post_process(labels, LGG, None, PostProcessing(min_volume=4))
    assert not result.any()
    assert notes == ("Removed 1 component of WT under 4 voxels (the case says no spacing) (3 voxels).",)


@pytest.mark.parametrize(
    ("scheme", "around", "filled", "name"),
    [
        (BRATS2017, 2, 2, "WT"),  # within oedema
        (BRATS2017, 1, 1, "TC"),  # within the core
        (BRATS2017, 3, 1, "TC"),  # within enhancing tumour lies core
        (MSD, 3, 2, "TC"),
        (BRATS2013, 4, 3, "TC"),
        (BRATS_PED, 1, 2, "TC"),
        (LGG, 1, 1, "WT"),
    ],
)
def test_a_hole_gets_the_class_of_what_encloses_it(scheme: LabelScheme, around: int, filled: int, name: str) -> None:
    labels = shell(around)
    result, notes = post_process(labels, scheme, ONE, PostProcessing(fill_holes=True))
    assert notes == (f"Filled 1 hole of {name} (1 voxel).",)
    assert result[4, 5, 6] == filled
    result[4, 5, 6] = 0
    np.testing.assert_array_equal(result, labels)


def test_holes_of_two_regions_are_told_apart() -> None:
    labels = empty()
    labels[1:8, 1:11, 1:13] = 2
    labels[3:6, 3:6, 3:6] = 3
    labels[4, 4, 4] = 0
    labels[4, 8, 8:10] = 0
    result, notes = post_process(labels, BRATS2017, ONE, PostProcessing(fill_holes=True))
    assert notes == ("Filled 1 hole of WT (2 voxels).", "Filled 1 hole of TC (1 voxel).")
    assert result[4, 4, 4] == 1
    assert (result[4, 8, 8:10] == 2).all()


def test_a_hole_that_opens_to_the_outside_or_the_edge_is_none() -> None:
    labels = shell(2)
    labels[4, 5, :7] = 0  # a tunnel
    at_edge = empty()
    at_edge[0:3, 3:8, 4:9] = 2
    at_edge[0, 5, 6] = 0
    for open_one in (labels, at_edge):
        result, notes = post_process(open_one, BRATS2017, ONE, PostProcessing(fill_holes=True))
        np.testing.assert_array_equal(result, open_one)
        assert notes == ()


def test_other_classes_within_a_region_are_no_holes() -> None:
    ring, cavity = shell(3), shell(2)
    ring[4, 5, 6], cavity[4, 5, 6] = 1, 4
    for labels in (ring, cavity):
        result, notes = post_process(labels, BRATS2024, ONE, PostProcessing(fill_holes=True))
        np.testing.assert_array_equal(result, labels)
        assert notes == ()


def test_a_single_slice_has_holes_in_its_plane() -> None:
    labels = shell(1)[4:5]
    result, notes = post_process(labels, LGG, None, PostProcessing(fill_holes=True))
    assert result[0, 5, 6] == 1
    assert notes == ("Filled 1 hole of WT (1 voxel).",)
    deep = empty()
    deep[4] = labels[0]
    assert post_process(deep, LGG, None, PostProcessing(fill_holes=True))[1] == ()


@pytest.mark.parametrize(
    ("scheme", "enhancing", "core", "name"),
    [(BRATS2017, 3, 1, "NCR"), (MSD, 3, 2, "NCR"), (BRATS2013, 4, 3, "NET"), (BRATS_PED, 1, 2, "NET")],
)
def test_little_enhancing_tumour_becomes_core(scheme: LabelScheme, enhancing: int, core: int, name: str) -> None:
    labels = empty()
    labels[1, 1, 1:4] = labels[6, 6, 6:8] = enhancing  # 5 voxels of 2 mm³
    result, notes = post_process(labels, scheme, (2.0, 1.0, 1.0), PostProcessing(small_enhancing=10.5))
    assert notes == (f"Turned ET, under 10.5 mm³ in total, into {name} (5 voxels).",)
    np.testing.assert_array_equal(result, np.where(labels > 0, core, 0))
    kept, notes = post_process(labels, scheme, (2.0, 1.0, 1.0), PostProcessing(small_enhancing=10))
    np.testing.assert_array_equal(kept, labels)
    assert notes == ()


def test_a_scheme_without_enhancing_tumour_has_none_to_turn() -> None:
    labels = shell(1)
    result, notes = post_process(labels, LGG, ONE, PostProcessing(small_enhancing=1e6))
    np.testing.assert_array_equal(result, labels)
    assert notes == ()


def test_steps_follow_each_other() -> None:
    labels = shell(2)
    labels[3, 4, 5] = 3
    labels[0, 0, 0] = 3  # alone: gone before enhancing tumour is measured
    result, notes = post_process(labels, BRATS2017, ONE, PostProcessing(5, True, 2))
    assert [note.split()[0] for note in notes] == ["Removed", "Filled", "Turned"]
    assert notes[2].endswith("(1 voxel).")
    assert set(np.unique(result)) == {0, 1, 2}


def test_empty_labels_stay_empty() -> None:
    result, notes = post_process(empty(), BRATS2017, ONE, PostProcessing(5, True, 2))
    assert not result.any()
    assert notes == ()


def test_what_a_model_recommends_is_checked() -> None:
    assert PostProcessing.from_mapping({}) == PostProcessing()
    assert PostProcessing.from_mapping({"min_volume": 50, "fill_holes": True}) == PostProcessing(50, True)
    for facts, words in (
        ({"min_volum": 50}, "no post-processing step 'min_volum'"),
        ({"min_volume": -1}, "min_volume is -1"),
        ({"small_enhancing": "50"}, "small_enhancing is '50'"),
        ({"fill_holes": 1}, "fill_holes is 1"),
    ):
        with pytest.raises(InputError, match=words):
            PostProcessing.from_mapping(facts)


def test_components_far_smaller_than_the_largest_one_become_background() -> None:
    labels = empty()
    labels[1:3, 1:3, 1:3] = 2  # 8 voxels
    labels[5, 5, 5:12] = 3  # 7 voxels
    labels[8, 11, :4] = 1  # 4 voxels, half of the largest
    labels[0, 11, :3] = 1  # 3 voxels
    result, notes = post_process(labels, BRATS2017, (3.0, 2.0, 1.0), PostProcessing(min_share=0.5))
    assert notes == ("Removed 1 component of WT under 50 % of the largest one (3 voxels).",)
    assert np.count_nonzero(result) == 8 + 7 + 4
    alone, notes = post_process(result, BRATS2017, None, PostProcessing(min_share=1))
    assert np.count_nonzero(alone) == 8
    with pytest.raises(InputError, match=r"min_share is 2\. Give a share from 0 to 1"):
        PostProcessing(min_share=2)
