from types import SimpleNamespace

import numpy as np
import pytest

from napari_brainseg.cases.case import BRATS_CHANNELS, Case, Labels, Naming
from napari_brainseg.cases.labels import BRATS2017
from napari_brainseg.cases.segmentation import Segmentation
from napari_brainseg.cases.volume import Geometry, Volume
from napari_brainseg.plugin.layers import (
    ERASED_COLOUR,
    FOREIGN_COLOUR,
    METADATA_KEY,
    LayerIdentity,
    Role,
    case_layers,
    contrast_limits,
    difference_layer,
    difference_values,
    identity_of,
    label_colours,
    result_layers,
    space,
)


def _case(spacing: tuple[float, float, float] | None = (3.0, 2.0, 1.0), labels: bool = True) -> Case:
    geometry = Geometry((2, 3, 4), spacing)
    channels = {name: Volume(np.full((2, 3, 4), n, np.int16), geometry) for n, name in enumerate(BRATS_CHANNELS)}
    reference = Labels(Volume(np.ones((2, 3, 4), np.uint8), geometry), BRATS2017) if labels else None
    return Case("c1", channels, BRATS_CHANNELS, geometry, reference, BRATS2017, Naming.BRATS_2017)


def test_only_flair_is_visible_and_the_reference_is_marked_as_such():
    layers = case_layers(_case())

    names = [attributes["name"] for _, attributes, _ in layers]
    assert names == ["t2", "t1ce", "t1", "flair", "reference"]
    assert [a["name"] for _, a, kind in layers if kind == "image" and a["visible"]] == ["flair"]
    identity = layers[-1][1]["metadata"][METADATA_KEY]
    assert (identity.case_id, identity.role, identity.scheme_id) == ("c1", Role.REFERENCE, "brats2017")


@pytest.mark.parametrize(
    ("spacing", "scale", "unit"), [((3.0, 2.0, 1.0), (3.0, 2.0, 1.0), "mm"), (None, (1.0, 1.0, 1.0), "pixel")]
)
def test_scale_is_in_mm_or_else_in_pixels(spacing, scale, unit):
    assert space(spacing) == {"scale": scale, "units": (unit,) * 3, "axis_labels": ("z", "y", "x")}
    assert all(a["scale"] == scale for _, a, _ in case_layers(_case(spacing)))


def test_contrast_limits_are_percentiles_of_the_brain_alone():
    data = np.zeros((10, 10, 20), np.int16)
    data[0, :, :10] = np.arange(1, 101).reshape(10, 10)

    assert contrast_limits(data) == pytest.approx(tuple(np.percentile(np.arange(1, 101), (1, 99.5))))


def test_contrast_limits_of_a_constant_image_are_a_range():
    assert contrast_limits(np.zeros((2, 3, 4))) == (0.0, 1.0)
    assert contrast_limits(np.full((2, 3, 4), 7)) == (7.0, 8.0)


def test_colours_warn_of_values_of_no_class():
    colours = label_colours(BRATS2017)

    assert colours[None] == FOREIGN_COLOUR
    assert colours[0][3] == 0
    assert colours[3] == (*BRATS2017.classes[2].colour, 1.0)
    assert label_colours(BRATS2017, colour_blind=True)[1][:3] == BRATS2017.classes[0].safe_colour


def test_a_result_carries_its_model_and_hides_its_probabilities():
    case = _case()
    maps = np.full((1, 2, 3, 4), 0.5, np.float16)
    result = Segmentation.for_case(
        case,
        np.zeros((2, 3, 4), np.uint8),
        BRATS2017,
        probabilities=maps,
        probability_names=("WT",),
        model="brats 1.0",
    )

    (data, probability, _), (_, labels, kind) = result_layers(result)

    assert kind == "labels"
    assert data.dtype == np.float32
    assert probability["name"] == "p(WT)"
    assert probability["visible"] is False
    identity = labels["metadata"][METADATA_KEY]
    assert (identity.role, identity.model, identity.scheme_id) == (Role.WORKING, "brats 1.0", "brats2017")
    assert labels["features"]["class"][3] == "enhancing tumour, on disk 4"


def test_identities_are_unique_and_strangers_have_none():
    one, two = (LayerIdentity("c1", Role.CHANNEL, "flair") for _ in range(2))

    assert one.layer_id != two.layer_id
    assert identity_of(SimpleNamespace(metadata={METADATA_KEY: one})) is one
    assert identity_of(SimpleNamespace(metadata={})) is None


def test_a_difference_says_what_each_voxel_becomes_the_background_included():
    answer = np.array([[[0, 1, 2, 0]]], np.uint8)
    changed = np.array([[[True, True, False, False]]])

    values = difference_values(answer, changed, BRATS2017)
    data, attributes, kind = difference_layer(values, BRATS2017, (1.0, 1.0, 1.0), "c1", "lgg·2")

    np.testing.assert_array_equal(data, [[[4, 1, 0, 0]]])
    assert kind == "labels"
    assert attributes["colormap"][4] == ERASED_COLOUR
    assert attributes["colormap"][0][3] == 0
    hover = dict(zip(attributes["features"]["index"], attributes["features"]["class"], strict=True))
    assert (hover[0], hover[4]) == ("stays", "becomes background")
    assert hover[2] == "becomes oedema, on disk 2"
    assert attributes["metadata"][METADATA_KEY].role is Role.DIFFERENCE
