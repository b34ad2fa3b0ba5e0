"""A labelled case in memory for tests of what is changed of cases: a head with a tumour, off the middle."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from known_models import make_case

from napari_brainseg.cases.case import Case, Labels
from napari_brainseg.cases.labels import BRATS2017
from napari_brainseg.cases.volume import Volume

SHAPE = (20, 40, 32)


def labelled_case() -> Case:
    """Return a BraTS case of whole numbers above 0 in a box, whose tumour is brighter."""
    image, labels = np.zeros(SHAPE, np.float32), np.zeros(SHAPE, np.uint8)
    image[2:18, 6:34, 4:28] = np.random.default_rng(2).integers(100, 140, (16, 28, 24))
    labels[6:14, 10:20, 16:24] = 2
    labels[8:12, 12:16, 18:22] = 3
    image += 200 * (labels > 0) + 100 * (labels == 3)
    case = make_case(image=image)
    return replace(case, labels=Labels(Volume(labels, case.geometry), BRATS2017))
