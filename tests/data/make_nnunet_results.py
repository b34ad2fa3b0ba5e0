"""Make `nnunet_results` anew by nnU-Net's own planning, preprocessing and training.

`python make_nnunet_results.py WORK` with the Python of an environment that has nnunetv2 and, on PYTHONPATH, this
project; WORK is an empty folder, and the result lies in WORK/nnUNet_results. Two synthetic cases, regions as labels.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import nibabel as nib
import numpy as np

from napari_brainseg.cases.phantom import make_volume_phantom

NAME = "Dataset900_Phantoms"
CHANNELS = {"0": "T1", "1": "T1ce", "2": "T2", "3": "FLAIR"}
ORDER = ("t1", "t1ce", "t2", "flair")
# As nnU-Net's own script converts BraTS 2021: 1 oedema, 2 necrotic and non-enhancing core, 3 enhancing tumour.
LABELS = {"background": 0, "whole tumor": [1, 2, 3], "tumor core": [2, 3], "enhancing tumor": [3]}
VALUES = np.array([0, 2, 1, 3], np.uint8)  # of BraTS 2017: 1 necrotic core, 2 oedema, 3 enhancing tumour


def write_raw(raw: Path) -> None:
    for folder in ("imagesTr", "labelsTr"):
        (raw / folder).mkdir(parents=True)
    for seed in (3, 4):
        case = make_volume_phantom(seed, (32, 40, 40), (4.5, 4.8, 4.8))
        for number, channel in enumerate(ORDER):
            array = case.channels[channel].data.transpose(2, 1, 0)
            file = raw / "imagesTr" / f"{case.id}_{number:04d}.nii.gz"
            nib.Nifti1Image(array, case.geometry.affine).to_filename(file)
        labels = VALUES[case.labels.volume.data].transpose(2, 1, 0)
        nib.Nifti1Image(labels, case.geometry.affine).to_filename(raw / "labelsTr" / f"{case.id}.nii.gz")
    described = {
        "channel_names": CHANNELS,
        "labels": LABELS,
        "regions_class_order": [1, 2, 3],
        "numTraining": 2,
        "file_ending": ".nii.gz",
    }
    (raw / "dataset.json").write_text(json.dumps(described, indent=1))


def shrink(plans: Path) -> None:
    """Write the smallest network that nnU-Net builds into its plans."""
    plan = json.loads(plans.read_text())
    options = plan["configurations"]["3d_fullres"]
    options["patch_size"], options["batch_size"] = [16, 24, 24], 2
    network = options["architecture"]["arch_kwargs"]
    network.update(
        n_stages=3,  # with two, nnU-Net's loss has no term
        features_per_stage=[4, 8, 8],
        kernel_sizes=[[3, 3, 3]] * 3,
        strides=[[1, 1, 1], [2, 2, 2], [2, 2, 2]],
        n_conv_per_stage=[1, 1, 1],
        n_conv_per_stage_decoder=[1, 1],
    )
    plans.write_text(json.dumps(plan))


def main(work: Path) -> None:
    for name in ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results"):
        os.environ[name] = str(work / name)
    import torch
    from nnunetv2.experiment_planning.plan_and_preprocess_api import (
        extract_fingerprints,
        plan_experiments,
        preprocess,
    )
    from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

    write_raw(work / "nnUNet_raw" / NAME)
    extract_fingerprints([900], num_processes=1, check_dataset_integrity=True)
    plan_experiments([900])
    folder = work / "nnUNet_preprocessed" / NAME
    shrink(folder / "nnUNetPlans.json")
    preprocess([900], configurations=["3d_fullres"], num_processes=[1])
    plans, described = (json.loads((folder / n).read_text()) for n in ("nnUNetPlans.json", "dataset.json"))
    plans["continue_training"] = False
    os.environ.update(nnUNet_n_proc_DA="0")  # batches are made in this process
    torch.manual_seed(0)
    trainer = nnUNetTrainer(plans, "3d_fullres", "all", described, torch.device("cpu"))
    trainer.num_epochs, trainer.num_iterations_per_epoch, trainer.num_val_iterations_per_epoch = 8, 60, 2
    trainer.run_training()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
