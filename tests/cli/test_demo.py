"""What `make demo` does without a display: the picture must show the anatomy with every class over it."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from imageio.v3 import imread

from napari_brainseg.cases.labels import BRATS2017
from napari_brainseg.plugin.layers import LABELS_OPACITY

CANVAS = (slice(60, 850), slice(360, 1010))  # of the 1400 x 950 window, within the docks


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere the demonstration leaves its window open")
def test_the_picture_shows_the_classes_over_the_anatomy(tmp_path: Path, own_home: Path) -> None:
    environment = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY")}
    subprocess.run(
        [sys.executable, "-m", "napari_brainseg", "demo"], cwd=tmp_path, env=environment, check=True, timeout=300
    )
    picture = imread(tmp_path / "demo" / "window.png")[..., :3].astype(float)
    assert (tmp_path / "demo" / "Phantom_009_seg.nii.gz").stat().st_size > 1000
    canvas = picture[CANVAS]
    grey = (np.ptp(canvas, axis=-1) < 6) & (canvas[..., 0] > 60)
    assert grey.mean() > 0.2  # the brain
    for label_class in BRATS2017.classes:
        # A class over grey g is opacity · colour + (1 - opacity) · g: what is left without the colour must be grey.
        rest = canvas - LABELS_OPACITY * 255 * np.array(label_class.colour)
        shown = (np.ptp(rest, axis=-1) < 8) & (rest.min(-1) > 20)
        assert shown.sum() > 500, label_class.name
