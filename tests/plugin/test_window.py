import nibabel as nib
import numpy as np
import pytest

from napari_brainseg.base.errors import BrainsegError
from napari_brainseg.plugin.widgets import window as module
from napari_brainseg.plugin.widgets.window import save_demonstration


def test_the_demonstration_leaves_a_picture_and_labels(opened, tmp_path):
    from imageio.v3 import imread

    opened.segment_control.start_from(opened.segment_panel.start_box.itemData(0))
    picture, labels = save_demonstration(opened.viewer, opened, tmp_path / "demo")

    assert picture.name == "window.png"
    assert imread(picture).shape[0] > 300
    written = np.asarray(nib.load(labels).dataobj)
    assert np.count_nonzero(written) == np.count_nonzero(opened.bridge.labels)


def test_waiting_for_what_never_comes_ends_in_a_sentence(qapp, monkeypatch):
    monkeypatch.setattr(module, "PATIENCE", 0.2)

    with pytest.raises(BrainsegError, match="Nothing happened"):
        module._wait(lambda: False)
