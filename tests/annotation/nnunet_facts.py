"""What nnU-Net itself says of a raw data set, as JSON; for the Python of an environment that has nnunetv2.

`python nnunet_facts.py FOLDER OUT` runs its integrity check, which raises where something is wrong, and writes what its
own reader and label manager see.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any


def facts(folder: str) -> dict[str, Any]:
    import numpy as np
    from nnunetv2.experiment_planning.verify_dataset_integrity import verify_dataset_integrity
    from nnunetv2.imageio.reader_writer_registry import determine_reader_writer_from_dataset_json
    from nnunetv2.utilities.label_handling.label_handling import LabelManager
    from nnunetv2.utilities.utils import get_filenames_of_train_images_and_targets

    verify_dataset_integrity(folder, num_processes=1)
    described = json.loads((Path(folder) / "dataset.json").read_text())
    manager = LabelManager(described["labels"], described.get("regions_class_order"))
    cases = get_filenames_of_train_images_and_targets(folder, described)
    reader = determine_reader_writer_from_dataset_json(described, next(iter(cases.values()))["images"][0])()
    seen = {}
    for name, files in cases.items():
        images, properties = reader.read_images(files["images"])
        labels, _ = reader.read_seg(files["label"])
        values, counts = np.unique(labels, return_counts=True)
        seen[str(name)] = {
            "images": [Path(file).name for file in files["images"]],
            "shape": [int(n) for n in images.shape],
            "spacing": [round(float(step), 4) for step in properties["spacing"]],
            "voxels": {str(int(value)): int(count) for value, count in zip(values, counts, strict=True)},
        }
    regions = (
        [[int(v) for v in np.atleast_1d(region)] for region in manager.foreground_regions or []]
        if (manager.has_regions)
        else []
    )
    return {
        "labels": [int(v) for v in manager.all_labels],
        "ignore": manager.ignore_label,
        "regions": regions,
        "heads": manager.num_segmentation_heads,
        "cases": seen,
    }


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(json.dumps(facts(sys.argv[1]), indent=1) + "\n")
