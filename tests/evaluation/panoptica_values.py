"""Values of the `panoptica` package for a small pair of masks, kept in panoptica_values.json.

panoptica's own requirements would downgrade napari, so the tests read its values and never import it. To make them
anew, in an environment of its own:

    python -m venv panoptica-env && panoptica-env/bin/pip install panoptica==2.1.7
    panoptica-env/bin/python tests/evaluation/panoptica_values.py
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

FILE = Path(__file__).with_suffix(".json")
SPACING = (2.0, 1.0, 1.5)


def mask_pair() -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return prediction and truth (20, 40, 44): two lesions that were found, one missed and one invented."""
    z, y, x = np.indices((20, 40, 44))

    def ball(centre: tuple[int, int, int], radii: tuple[float, float, float]) -> NDArray[np.bool_]:
        return sum(((a - c) / r) ** 2 for a, c, r in zip((z, y, x), centre, radii, strict=True)) <= 1

    truth = ball((8, 10, 12), (5, 7, 8)) | ball((13, 30, 33), (3, 5, 4)) | ball((4, 32, 8), (2, 4, 4))
    prediction = ball((9, 11, 13), (5, 6, 8)) | ball((13, 31, 32), (4, 4, 4)) | ball((15, 6, 36), (3, 4, 3))
    return prediction, truth


def main() -> None:
    """Write the file."""
    from panoptica import (
        ConnectedComponentsInstanceApproximator,
        InputType,
        NaiveThresholdMatching,
        Panoptica_Evaluator,
    )
    from panoptica.metrics import Metric

    metrics = [Metric.DSC, Metric.IOU, Metric.ASSD, Metric.HD, Metric.HD95, Metric.RVD, Metric.NSD]
    evaluator = Panoptica_Evaluator(
        expected_input=InputType.SEMANTIC,
        instance_approximator=ConnectedComponentsInstanceApproximator(),
        instance_matcher=NaiveThresholdMatching(matching_threshold=0.1),
        instance_metrics=metrics,
        global_metrics=metrics,
    )
    prediction, truth = (mask.astype(np.uint8) for mask in mask_pair())
    result = evaluator.evaluate(prediction, truth, voxelspacing=SPACING)["ungrouped"]
    values = {name: float(value) for name, value in result.to_dict().items() if isinstance(value, (int, float))}
    FILE.write_text(json.dumps(dict(sorted(values.items())), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
