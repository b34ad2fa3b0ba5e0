import pytest
import torch

from napari_brainseg.base.errors import ModelError
from napari_brainseg.cases.labels import BRATS2013, BRATS2017, LGG, MSD
from napari_brainseg.inference.decoding import region_values, to_labels, to_probabilities, to_targets

REGIONS = ("WT", "TC", "ET")


def test_a_voxel_gets_the_class_of_its_innermost_region() -> None:
    inside = [[0, 0, 0], [1, 0, 0], [1, 1, 0], [1, 1, 1], [0, 1, 1], [1, 0, 1]]
    probabilities = torch.tensor(inside).float().T[None]
    assert to_labels(probabilities, REGIONS, BRATS2017)[0].tolist() == [0, 2, 1, 3, 0, 2]


def test_the_classes_follow_the_scheme_not_the_order() -> None:
    assert region_values(MSD, REGIONS) == [1, 2, 3]
    assert region_values(LGG, ("WT",)) == [1]


def test_regions_that_do_not_tell_classes_apart_are_refused() -> None:
    with pytest.raises(ModelError, match="do not tell"):
        region_values(BRATS2013, REGIONS)
    with pytest.raises(ModelError, match="no region 'XX'"):
        region_values(BRATS2017, ("XX",))


def test_targets_and_labels_are_inverse() -> None:
    labels = torch.tensor([[[0, 1, 2, 3]]], dtype=torch.uint8)
    for outputs in (REGIONS, ("background", "NCR", "ED", "ET")):
        targets = to_targets(labels, outputs, BRATS2017)
        maps = targets[:, 1:] if outputs[0] == "background" else targets
        assert torch.equal(to_labels(maps, outputs, BRATS2017), labels)


def test_softmax_gives_the_most_probable_class_or_the_background() -> None:
    logits = torch.tensor([[2.0, 0, 0, 0], [0, 2.0, 0, 0], [0, 0, 0, 2.0], [0, 0, 2.0, 0]]).T[None]
    outputs = ("background", "NCR", "ED", "ET")
    assert to_labels(to_probabilities(logits, outputs), outputs, BRATS2017)[0].tolist() == [0, 1, 3, 2]


def test_a_class_that_is_left_out_is_background() -> None:
    labels = torch.tensor([[[0, 1, 2, 3]]], dtype=torch.uint8)
    outputs = ("background", "ET", "NCR")
    targets = to_targets(labels, outputs, BRATS2017)
    assert targets[0, :, 0].tolist() == [[1, 0, 1, 0], [0, 0, 0, 1], [0, 1, 0, 0]]
    assert to_labels(targets[:, 1:], outputs, BRATS2017)[0, 0].tolist() == [0, 1, 0, 3]
