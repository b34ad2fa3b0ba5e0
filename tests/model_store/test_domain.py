"""What a model's inputs look like: quiet on cases like its own, one sentence where a case is unlike them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from itertools import combinations
from typing import Any

import numpy as np
import pytest

from napari_brainseg.cases.case import BRATS_CHANNELS, LGG_CHANNELS, Case
from napari_brainseg.cases.phantom import make_lgg_phantom, make_volume_phantom
from napari_brainseg.cases.volume import Geometry, Spacing, Volume
from napari_brainseg.model_store.domain import CaseFacts, Domain, measure_case, unlike, unlike_in_words
from napari_brainseg.model_store.store import ModelRecord, find_model

SHAPE, SPACING = (32, 64, 64), (4.5, 3.0, 3.0)


def _facts(case: Case) -> CaseFacts:
    return measure_case(case)


@pytest.fixture(scope="module")
def phantoms() -> list[Case]:
    return [make_volume_phantom(seed, SHAPE, SPACING) for seed in range(40, 47)]


@pytest.fixture(scope="module")
def domain(phantoms: list[Case]) -> Domain:
    return Domain.of([_facts(case) for case in phantoms[:6]], BRATS_CHANNELS)


@pytest.fixture
def case(phantoms: list[Case]) -> Case:
    return phantoms[6]


def _with(case: Case, arrays: Mapping[str, np.ndarray], geometry: Geometry | None = None) -> Case:
    geometry = geometry or case.geometry
    return replace(
        case, channels={name: Volume(data, geometry) for name, data in arrays.items()}, geometry=geometry, labels=None
    )


def _arrays(case: Case) -> dict[str, Any]:
    return {name: volume.data for name, volume in case.channels.items()}


@cache
def _head(spacing: Spacing = SPACING, seed: int = 3) -> Case:
    """Return a case with skull and scalp under the names of a BraTS case."""
    phantom = make_lgg_phantom(seed, slices=8)
    named = {"flair": "flair", "t1": "pre", "t1ce": "post"}
    geometry = Geometry(phantom.geometry.shape, spacing)
    arrays = {name: phantom.channels[own].data for name, own in named.items()}
    return replace(_with(phantom, arrays, geometry), expected=BRATS_CHANNELS)


def test_a_case_like_those_of_the_training_is_met_with_silence(domain: Domain, phantoms: list[Case]) -> None:
    assert [unlike(domain, _facts(one), "m") for one in phantoms] == [[]] * 7


@pytest.mark.parametrize("two", [("t1", "t2"), ("flair", "t1"), ("t1ce", "t2"), ("flair", "t2"), ("flair", "t1ce")])
def test_swapped_channels_are_named(domain: Domain, case: Case, two: tuple[str, str]) -> None:
    arrays = _arrays(case)
    arrays[two[0]], arrays[two[1]] = arrays[two[1]], arrays[two[0]]

    told = unlike(domain, _facts(_with(case, arrays)), "m")

    assert told == [f"{two[0]} and {two[1]} look swapped: check the channels under Case."]


@pytest.mark.parametrize(("beside", "named"), [(("flair", "t1ce"), "t1"), (("flair",), "t1 or t1ce")])
def test_a_t1_given_as_t2_is_named_where_the_case_has_no_t1(
    domain: Domain, case: Case, beside: tuple[str, ...], named: str
) -> None:
    given = _arrays(case)
    arrays = {**{name: given[name] for name in beside}, "t2": given["t1"]}

    told = unlike(domain, _facts(_with(case, arrays)), "m")

    assert told == [f"t2 looks like {named}: check the channels under Case."]


def test_a_t1_given_as_t1_and_t2_is_one_image_twice(domain: Domain, case: Case) -> None:
    arrays = _arrays(case)
    arrays["t2"] = 2 * arrays["t1"]

    assert unlike(domain, _facts(_with(case, arrays)), "m") == [
        "t1 and t2 are the same image: check the channels under Case."
    ]


@pytest.mark.parametrize("present", [one for n in (1, 2, 3) for one in combinations(BRATS_CHANNELS, n)])
def test_missing_channels_are_no_reason_to_warn(domain: Domain, case: Case, present: tuple[str, ...]) -> None:
    arrays = {name: data for name, data in _arrays(case).items() if name in present}

    assert unlike(domain, _facts(_with(case, arrays)), "m") == []


@pytest.mark.parametrize("factor", [0.1, 10.0])
def test_the_unit_of_the_intensities_says_nothing(domain: Domain, case: Case, factor: float) -> None:
    arrays = {name: data.astype(np.float32) * np.float32(factor) for name, data in _arrays(case).items()}

    assert unlike(domain, _facts(_with(case, arrays)), "m") == []


def test_ct_like_values_are_told_with_the_lowest(domain: Domain, case: Case) -> None:
    arrays = _arrays(case)
    arrays["flair"] = arrays["flair"].astype(np.int16) - 1024

    told = unlike(domain, _facts(_with(case, arrays)), "m")

    assert told[0].startswith("flair has values below 0 (to -1024), as CT or normalised images have; m was made for")
    assert len(told) == 1


def test_skull_and_scalp_are_told_and_channels_are_then_not_judged(domain: Domain) -> None:
    told = unlike(domain, _facts(_head()), "m")

    assert told == ["Skull and scalp are in the images; m was made for skull-stripped ones: strip the skull first."]


def test_a_model_for_whole_heads_tells_that_the_skull_is_stripped(case: Case) -> None:
    heads = Domain.of([_facts(_head(seed=seed)) for seed in range(5)], BRATS_CHANNELS)

    told = unlike(heads, _facts(case), "m")

    assert unlike(heads, _facts(_head(seed=7)), "m") == []
    assert told[0].startswith("The brain alone is in the images; m was made for whole heads")


@pytest.mark.parametrize(
    ("spacing", "words"),
    [
        ((12.0, 3.0, 3.0), "12.0 mm axial slices; m was made for 4.5 mm"),
        ((4.5, 10.0, 3.0), "10.0 mm coronal slices; m was made for 3.0 mm"),
        ((4.5, 3.0, 10.0), "10.0 mm sagittal slices; m was made for 3.0 mm"),
    ],
)
def test_thick_slices_of_any_acquisition_are_told(domain: Domain, case: Case, spacing: Spacing, words: str) -> None:
    thick = _with(case, _arrays(case), Geometry(SHAPE, spacing))

    assert unlike(domain, _facts(thick), "m") == [f"The images have {words}: expect a worse result."]


def test_a_swap_in_thick_slices_takes_three_times_the_evidence(domain: Domain, case: Case) -> None:
    arrays = _arrays(case)
    arrays["t1"], arrays["t2"] = arrays["t2"], arrays["t1"]
    facts = _facts(_with(case, arrays))
    thick = replace(facts, spacing=(15.0, 3.0, 3.0))

    def swaps(evidence: float, of: CaseFacts) -> bool:
        return any("look swapped" in one for one in unlike(replace(domain, evidence=evidence), of, "m"))

    evidence = [least for least in np.arange(1.0, 1000.0) if swaps(least, facts)][-1]
    assert 30 < evidence < 900
    assert not swaps(evidence / 2.9, thick)
    assert swaps(evidence / 3.1, thick)


def test_somewhat_thicker_slices_and_an_unknown_spacing_are_not_told(domain: Domain, case: Case) -> None:
    for spacing in ((9.0, 3.0, 3.0), None):
        assert unlike(domain, _facts(_with(case, _arrays(case), Geometry(SHAPE, spacing))), "m") == []


def test_slices_of_other_size_in_pixels_are_told_where_no_size_in_mm_is_known(domain: Domain, case: Case) -> None:
    unknown = replace(domain, spacing=None, pixels=(128.0, 128.0))
    facts = replace(_facts(case), spacing=None)

    told = unlike(unknown, facts, "m")

    assert domain.pixels == (64, 64)
    assert told[0].startswith(
        "The slices are 64 pixels wide, those that m was made for 128: they are taken for whole heads"
    )
    assert unlike(replace(unknown, pixels=(64.0, 96.0)), facts, "m") == []
    assert Domain.from_json(json.loads(json.dumps(unknown.to_json()))).pixels == (128, 128)


@pytest.mark.parametrize(("degrees", "told"), [(10, False), (30, True)])
def test_a_native_grid_that_is_tilted_is_told_by_its_angle(
    domain: Domain, case: Case, degrees: float, told: bool
) -> None:
    turn, affine = np.radians(degrees), np.array(case.geometry.affine)
    rotation = np.eye(4)
    rotation[1:3, 1:3] = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
    facts = _facts(_with(case, _arrays(case), replace(case.geometry, affine=rotation @ affine)))

    words = unlike(domain, facts, "m")

    assert facts.tilt == pytest.approx(degrees)
    assert bool(words) is told
    assert not told or words[0].startswith("The slices are tilted by 30 degrees")


def test_a_head_in_thick_slices_is_told_in_two_sentences(domain: Domain) -> None:
    told = unlike(domain, _facts(_head(spacing=(15.0, 3.0, 3.0))), "m")

    assert [one.split(";")[0] for one in told] == [
        "Skull and scalp are in the images",
        "The images have 15.0 mm axial slices",
    ]


def test_the_share_of_empty_voxels_and_the_looks_are_exact() -> None:
    """Of a cube of 16 whose inner 8 are bright: the box is the cube, and its percentiles are those of its values."""
    image = np.zeros((16, 16, 16), np.int16)
    image[4:12, 4:12, 4:12] = np.arange(512).reshape(8, 8, 8) + 100
    image[6, 6, 6] = 0
    other = np.where(image > 0, 1000 - image, 0)
    geometry = Geometry(image.shape, (1.0, 1.0, 1.0), np.diag([-1.0, -1.0, 1.0, 1.0]))
    base = make_volume_phantom(0, (8, 16, 16), (18.0, 12.0, 12.0))

    facts = _facts(_with(base, {"t1": image, "t2": other}, geometry))

    assert facts.background == pytest.approx(1 / 512)
    assert facts.tilt == 0
    assert facts.negative == {"t1": (0.0, 0.0), "t2": (0.0, 0.0)}
    inside = image[image > 0].astype(float)
    expected = np.log(np.percentile(inside, [5, 25, 75, 95, 99]) / np.median(inside))
    assert facts.looks["t1"] == pytest.approx(expected, abs=1e-6)
    assert facts.looks["t1+t2"][0] == pytest.approx(-1.0)


def test_too_few_cases_teach_nothing_of_the_channels_but_of_the_grid(case: Case) -> None:
    few = Domain.of([_facts(case)], BRATS_CHANNELS)
    arrays = _arrays(case)
    arrays["t1"], arrays["t2"] = arrays["t2"], arrays["t1"]

    assert few.looks == {}
    assert unlike(few, _facts(_with(case, arrays)), "m") == []
    assert unlike(few, _facts(_with(case, _arrays(case), Geometry(SHAPE, (20.0, 3.0, 3.0)))), "m")


def test_the_domain_survives_the_models_description(domain: Domain) -> None:
    again = Domain.from_json(json.loads(json.dumps(domain.to_json())))

    assert again is not None
    assert again.to_json() == domain.to_json()
    assert (again.cases, again.spacing) == (6, tuple((one, one) for one in SPACING))


@pytest.mark.parametrize("broken", [None, [], {}, {"cases": "many"}, {"spacing": 3}, "text"])
def test_a_description_that_is_none_says_nothing(broken: object, case: Case) -> None:
    record = ModelRecord("m", "1", "", {}, BRATS_CHANNELS, "brats2017", ("WT",), training={"domain": broken})

    assert Domain.from_json(broken) is None
    assert unlike_in_words(case, [record]) == ()


def test_models_of_one_run_tell_the_same_once(domain: Domain, case: Case) -> None:
    record = ModelRecord("m", "1", "", {}, BRATS_CHANNELS, "brats2017", ("WT",), training={"domain": domain.to_json()})
    odd = _with(case, _arrays(case), Geometry(SHAPE, (20.0, 3.0, 3.0)))

    assert len(unlike_in_words(odd, [record, record])) == 1


def test_shipped_models_know_their_inputs_and_are_silent_on_samples() -> None:
    brats, lgg = find_model("brats"), find_model("lgg")

    assert unlike_in_words(make_volume_phantom(1), [brats]) == ()
    assert unlike_in_words(make_lgg_phantom(1), [lgg]) == ()
    assert tuple(n for n in lgg.training["domain"]["looks"] if "+" not in n) == LGG_CHANNELS
    told = unlike_in_words(_head(spacing=(5.0, 0.9, 0.9)), [brats])
    assert [one.split(";")[0] for one in told] == [
        "Skull and scalp are in the images",
        "The images have 5.0 mm axial slices",
    ]
