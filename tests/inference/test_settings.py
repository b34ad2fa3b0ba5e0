import numpy as np
import pytest

from napari_brainseg.base.errors import InputError
from napari_brainseg.inference.delivery import Delivery
from napari_brainseg.inference.settings import SegmentSettings


def test_an_unknown_uncertainty_is_one_sentence() -> None:
    with pytest.raises(InputError, match="no uncertainty 'sureness'; choose entropy or margin"):
        SegmentSettings(uncertainty="sureness")


def test_a_delivery_is_progress_with_labels() -> None:
    window = (slice(0, 1), slice(2, 4), slice(3, 6))
    delivery = Delivery(1, 4, "slices 1 of 4", window=window, labels=np.ones((1, 2, 3), np.uint8))
    assert (delivery.fraction, delivery.window) == (0.25, window)
