import numpy as np
import pytest


def test_the_values_of_the_labels_file_are_told_without_sorting_its_voxels(opened, monkeypatch):
    monkeypatch.setattr(np, "unique", lambda *_, **__: pytest.fail("sorts millions of voxels in the window's thread"))
    panel = opened.case_panel

    panel.details.show_case(opened.case)
    assert panel.details.scheme_box.toolTip() == "Values in the file: 0 2 4"
