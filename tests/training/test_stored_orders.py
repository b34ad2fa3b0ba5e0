from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
from changed_cases import labelled_case

from napari_brainseg.training.robustness.conditions import ORDERS
from napari_brainseg.training.robustness.stored_orders import stored_in


@pytest.mark.parametrize("order", ORDERS)
def test_a_case_is_the_same_in_every_order_of_its_files(order: str) -> None:
    case = labelled_case()
    changed = stored_in(case, order)
    assert "".join(nib.aff2axcodes(changed.geometry.affine)) == order
    assert changed.geometry.same_grid(case.geometry)
    assert changed.geometry.reorientation != case.geometry.reorientation
    for name, volume in case.channels.items():
        np.testing.assert_array_equal(changed.channels[name].data, volume.data)
    assert changed.labels is not None
    assert case.labels is not None
    np.testing.assert_array_equal(changed.labels.volume.data, case.labels.volume.data)
