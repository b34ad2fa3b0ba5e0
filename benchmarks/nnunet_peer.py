"""nnU-Net's predictor with a network and weights of ours; run by `inference_peers` in an environment that has nnunetv2.

`python -m benchmarks.nnunet_peer MODEL FOLDER MIRRORS`: reads `images.npy` (C, z, y, x) of the folder, writes
`logits.npy` and `told.json` (seconds of the prediction alone, the network being loaded; peak bytes of the process).
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

import numpy as np
import torch
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

from napari_brainseg.model_store.model import load_model

PATCH = [128, 128, 128]


def main() -> None:
    """Predict and write."""
    model, folder, mirrors = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3] == "1"
    network = load_model(model).network.to(memory_format=torch.contiguous_format).eval()
    unused = {"network_class_name": "none", "arch_kwargs": {}, "_kw_requires_import": []}
    chosen = {"patch_size": PATCH, "spacing": [1.0, 1.0, 1.0], "batch_size": 1, "architecture": unused}
    plans = PlansManager({"dataset_name": "none", "plans_name": "by_hand", "configurations": {"3d_fullres": chosen}})
    described = {
        "channel_names": {str(i): str(i) for i in range(4)},
        "labels": {"background": 0, "WT": [1, 2, 3], "TC": [1, 3], "ET": 3},
        "regions_class_order": [2, 1, 3],
        "file_ending": ".nii.gz",
    }
    predictor = nnUNetPredictor(
        tile_step_size=0.5,
        use_gaussian=True,
        use_mirroring=mirrors,
        perform_everything_on_device=False,
        device=torch.device("cpu"),
        allow_tqdm=False,
    )
    predictor.manual_initialization(
        network,
        plans,
        plans.get_configuration("3d_fullres"),
        [network.state_dict()],
        described,
        "nnUNetTrainer",
        (0, 1, 2) if mirrors else None,
    )
    images = torch.from_numpy(np.load(folder / "images.npy"))
    start = time.perf_counter()
    logits = predictor.predict_logits_from_preprocessed_data(images)
    seconds = time.perf_counter() - start
    np.save(folder / "logits.npy", logits.float().numpy())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    (folder / "told.json").write_text(json.dumps({"seconds": seconds, "peak": peak}))


if __name__ == "__main__":
    main()
