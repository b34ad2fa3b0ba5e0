from dataclasses import replace

import numpy as np
from known_models import make_case, make_model

from napari_brainseg.cases.case import BRATS_CHANNELS
from napari_brainseg.training.corrected import CorrectedCase
from napari_brainseg.training.replay import SLICES, phantoms_for, replayed


def test_the_samples_stand_in_for_patients_of_their_kind() -> None:
    brats = make_model().record
    [volume] = phantoms_for(brats)
    assert volume.images.shape[0] == len(BRATS_CHANNELS)
    assert volume.confirmed.all()
    assert set(np.unique(volume.labels)) == {0, 1, 2, 3}
    [slices] = phantoms_for(replace(brats, channels=("pre", "flair", "post"), scheme_id="lgg", outputs=("WT",)))
    assert set(np.unique(slices.labels)) == {0, 1}
    assert len(phantoms_for(replace(brats, channels=("flair",), scheme_id="lgg", outputs=("WT",)))) == 2  # both have it
    assert phantoms_for(replace(brats, channels=("adc",))) == ()


def test_the_old_answer_is_the_truth_of_slices_that_nobody_confirmed_and_of_no_other_voxel() -> None:
    shape = (30, 6, 6)
    images = np.ones((1, *shape), np.float32)
    images[:, 28:] = 0  # nothing to see there
    confirmed = np.zeros(shape, bool)
    confirmed[5] = True
    confirmed[:, 2] = True
    box = tuple(slice(0, n) for n in shape)
    case = CorrectedCase("a", images, np.full(shape, 2, np.uint8), confirmed, make_case(), box)

    [found] = replayed([case], lambda asked: np.full(asked.labels.shape, 3, np.uint8))

    slices = np.flatnonzero(found.confirmed.any(axis=(1, 2)))
    assert len(slices) == SLICES
    assert slices[0] == 0
    assert slices[-1] == 27
    assert 5 not in slices
    assert not (found.confirmed & confirmed).any()
    assert found.confirmed[slices].sum() == SLICES * 30
    np.testing.assert_array_equal(found.labels, np.where(found.confirmed, 3, 0))


def test_a_case_that_is_wholly_confirmed_has_nothing_to_ask_for() -> None:
    shape = (3, 4, 4)
    box = tuple(slice(0, n) for n in shape)
    ones = np.ones((1, *shape), np.float32)
    case = CorrectedCase("a", ones, np.zeros(shape, np.uint8), np.ones(shape, bool), make_case(), box)
    assert list(replayed([case], lambda asked: asked.labels)) == []
