"""Make `monai_bundle` anew: configuration and metadata as MONAI's own bundles have them, and a small trained network.

`python make_monai_bundle.py FOLDER` with the Python of an environment that has monai and, on PYTHONPATH, this project;
FOLDER is the bundle that is written.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import torch
from monai.bundle import ConfigParser
from monai.losses import DiceCELoss

from napari_brainseg.cases.phantom import make_volume_phantom

ORDER = ("t1ce", "t1", "t2", "flair")
INFERENCE: dict[str, Any] = {
    "imports": ["$import torch"],
    "bundle_root": ".",
    "output_dir": "$@bundle_root + '/eval'",
    "device": "$torch.device('cuda:0' if torch.cuda.is_available() else 'cpu')",
    "network_def": {
        "_target_": "UNet",
        "spatial_dims": 3,
        "in_channels": 4,
        "out_channels": 3,
        "channels": [4, 8],
        "strides": [2],
        "norm": "batch",
    },
    "network": "$@network_def.to(@device)",
    "preprocessing": {
        "_target_": "Compose",
        "transforms": [
            {"_target_": "LoadImaged", "keys": "image"},
            {"_target_": "EnsureChannelFirstd", "keys": "image"},
            {"_target_": "Orientationd", "keys": "image", "axcodes": "RAS"},
            {"_target_": "NormalizeIntensityd", "keys": "image", "nonzero": True, "channel_wise": True},
        ],
    },
    "inferer": {"_target_": "SlidingWindowInferer", "roi_size": [24, 24, 16], "overlap": 0.25},
    "postprocessing": {
        "_target_": "Compose",
        "transforms": [
            {"_target_": "Activationsd", "keys": "pred", "sigmoid": True},
            {
                "_target_": "Invertd",
                "keys": "pred",
                "transform": "@preprocessing",
                "orig_keys": "image",
                "nearest_interp": False,
                "to_tensor": True,
            },
            {"_target_": "AsDiscreted", "keys": "pred", "threshold": 0.5},
            {"_target_": "SaveImaged", "keys": "pred", "output_dir": "@output_dir"},
        ],
    },
}


def metadata() -> dict[str, Any]:
    def channels(*names: str) -> dict[str, Any]:
        numbered = {str(number): name for number, name in enumerate(names)}
        return {"type": "image", "num_channels": len(names), "channel_def": numbered}

    return {
        "version": "0.0.1",
        "monai_version": "1.6.1",
        "name": "Phantom tumours",
        "task": "Segmentation of synthetic tumours, for tests",
        "network_data_format": {
            "inputs": {"image": channels("T1c", "T1", "T2", "FLAIR")},
            "outputs": {"pred": channels("Tumor core", "Whole tumor", "Enhancing tumor")},
        },
    }


def trained(parser: ConfigParser, work: Path) -> torch.nn.Module:
    """Train the network on one case, prepared by the bundle's own transforms."""
    case = make_volume_phantom(3, (32, 40, 40), (4.5, 4.8, 4.8))
    files = []
    for name in ORDER:
        files.append(str(work / f"{name}.nii.gz"))
        nib.Nifti1Image(case.channels[name].data.transpose(2, 1, 0), case.geometry.affine).to_filename(files[-1])
    image = parser.get_parsed_content("preprocessing")({"image": files})["image"][None].as_tensor()
    labels = case.labels.volume.data[:, ::-1, ::-1].transpose(2, 1, 0)  # LPS to RAS
    regions = np.stack([np.isin(labels, values) for values in ((1, 3), (1, 2, 3), (3,))])
    target = torch.from_numpy(regions.astype(np.float32))[None]
    network = parser.get_parsed_content("network")
    loss, optimizer = DiceCELoss(sigmoid=True), torch.optim.Adam(network.parameters(), 1e-2)
    for _ in range(150):
        optimizer.zero_grad()
        value = loss(network(image), target)
        value.backward()
        optimizer.step()
    return network.eval()


def main(folder: Path) -> None:
    torch.manual_seed(0)
    for name in ("configs", "models"):
        (folder / name).mkdir(parents=True)
    (folder / "configs" / "inference.json").write_text(json.dumps(INFERENCE, indent=1) + "\n")
    (folder / "configs" / "metadata.json").write_text(json.dumps(metadata(), indent=1) + "\n")
    parser = ConfigParser(INFERENCE)
    with tempfile.TemporaryDirectory() as work:
        network = trained(parser, Path(work))
    torch.save(network.state_dict(), folder / "models" / "model.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
