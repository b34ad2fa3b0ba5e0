"""What file names say."""

from __future__ import annotations

import pytest

from napari_brainseg.cases.case import Naming
from napari_brainseg.cases.naming import Kind, channel_of, labels_naming, role_of

CHANNELS = {
    # 2017 to 2021
    "Brats18_2013_11_1_flair": ("Brats18_2013_11_1", "flair", Naming.BRATS_2017),
    "BraTS20_Training_001_t1ce": ("BraTS20_Training_001", "t1ce", Naming.BRATS_2017),
    "BraTS2021_00000_t1": ("BraTS2021_00000", "t1", Naming.BRATS_2017),
    # 2023 on
    "BraTS-GLI-00000-000-t2f": ("BraTS-GLI-00000-000", "flair", Naming.BRATS_2023),
    "BraTS-PED-00001-000-t1n": ("BraTS-PED-00001-000", "t1", Naming.BRATS_2023),
    "BraTS-MET-00002-000-t1c": ("BraTS-MET-00002-000", "t1ce", Naming.BRATS_2023),
    "BraTS-SSA-00003-000-t2w": ("BraTS-SSA-00003-000", "t2", Naming.BRATS_2023),
    # plain names
    "flair": ("", "flair", Naming.PLAIN),
    "FLAIR": ("", "flair", Naming.PLAIN),
    "T2_FLAIR": ("", "flair", Naming.PLAIN),
    "T1Gd": ("", "t1ce", Naming.PLAIN),
    "T1_post": ("", "t1ce", Naming.PLAIN),
    "t1-post-contrast": ("", "t1ce", Naming.PLAIN),
    "T1 CE": ("", "t1ce", Naming.PLAIN),
    "t1c": ("", "t1ce", Naming.PLAIN),
    "T1": ("", "t1", Naming.PLAIN),
    "T1w": ("", "t1", Naming.PLAIN),
    "t1_pre": ("", "t1", Naming.PLAIN),
    "T2W": ("", "t2", Naming.PLAIN),
    "UPENN-GBM-00001_11_T1GD": ("UPENN-GBM-00001_11", "t1ce", Naming.PLAIN),
    "UCSF-PDGM-0004_FLAIR": ("UCSF-PDGM-0004", "flair", Naming.PLAIN),
    "TCGA-02-0003_1997.06.08_t1Gd": ("TCGA-02-0003_1997.06.08", "t1ce", Naming.PLAIN),
    "sub-01.T1.post": ("sub-01", "t1ce", Naming.PLAIN),
    "patient7_T2_brain_n4": ("patient7", "t2", Naming.PLAIN),
    "sub-01_ses-1_T1w_reg_1mm": ("sub-01_ses-1", "t1", Naming.PLAIN),
}


@pytest.mark.parametrize("stem", CHANNELS)
def test_channels(stem: str) -> None:
    role = role_of(stem)
    assert (role.case, role.channel, role.naming) == CHANNELS[stem]
    assert role.kind is Kind.CHANNEL


@pytest.mark.parametrize(
    ("stem", "case"),
    [
        ("Brats18_2013_11_1_seg", "Brats18_2013_11_1"),
        ("BraTS-GLI-00000-000-seg", "BraTS-GLI-00000-000"),
        ("seg", ""),
        ("Segmentation", ""),
        ("ground_truth", ""),
        ("case_GT", "case"),
        ("UCSF-PDGM-0004_tumor_segmentation", "UCSF-PDGM-0004"),
        ("UPENN-GBM-00001_11_segm", "UPENN-GBM-00001_11"),
        ("TCGA-02-0003_1997.06.08_GlistrBoost_ManuallyCorrected", "TCGA-02-0003_1997.06.08"),
        ("tumour-mask", ""),
        ("case_flair_seg", "case"),
    ],
)
def test_labels(stem: str, case: str) -> None:
    role = role_of(stem)
    assert (role.kind, role.case) == (Kind.LABELS, case)


@pytest.mark.parametrize(
    "stem",
    [
        "brain_mask",
        "mask",
        "case_flair_mask",
        "case_t1ce_brainmask",
        "case_brain_segmentation",
        "case_brain_seg",
        "prediction",
        "case_pred",
        "case_seg_pred",
        "case_pred_seg",
        "case_flair_prob",
        "case_probability-WT",
        "case_DWI",
        "case_ADC",
        "UPENN-GBM-00001_11_automated_approx_segm",
    ],
)
def test_masks_predictions_and_other_sequences_are_no_channels(stem: str) -> None:
    assert role_of(stem).kind is Kind.OTHER


def test_numbers_of_nnunet() -> None:
    role = role_of("BRATS_001_0003")
    assert (role.kind, role.case, role.number, role.naming) == (Kind.NUMBERED, "BRATS_001", 3, Naming.NNUNET)


def test_what_names_do_not_tell_is_unknown() -> None:
    for stem in ("BRATS_001", "series_12", "image", "MPRAGE"):
        assert role_of(stem).kind is Kind.UNKNOWN


def test_names_with_the_channel_in_the_middle_rank_behind() -> None:
    role = role_of("VSD.Brain.XX.O.MR_Flair.54512")
    assert (role.kind, role.channel) == (Kind.CHANNEL, "flair")
    assert role.rank > role_of("case_FLAIR").rank


def test_words_of_dataset_json() -> None:
    words = ("FLAIR", "T1w", "t1gd", "T2w", "T1CE", "T1-native")
    assert [channel_of(word) for word in words] == ["flair", "t1", "t1ce", "t2", "t1ce", "t1"]
    assert channel_of("CT") is None


def test_labels_that_have_just_the_name_of_the_case_are_nnunets() -> None:
    assert labels_naming("case7", "case7", Naming.BRATS_2017) is Naming.NNUNET
    assert labels_naming("case7_seg", "case7", Naming.PLAIN) is Naming.BRATS_2017
    assert labels_naming("case7-seg", "case7", Naming.BRATS_2017) is Naming.BRATS_2023
    assert labels_naming("anything", "case7", Naming.BRATS_2023) is Naming.BRATS_2023
    assert labels_naming("BRATS_001", "BRATS_001", Naming.DECATHLON) is Naming.DECATHLON
