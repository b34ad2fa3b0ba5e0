import pytest

from napari_brainseg.cases.labels import BRATS2017, LGG
from napari_brainseg.plugin.widgets.class_palette import ClassPalette
from napari_brainseg.plugin.widgets.elided_button import ElidedButton
from napari_brainseg.plugin.widgets.elided_label import ElidedLabel
from napari_brainseg.plugin.widgets.style import PANEL_WIDTH


def test_a_button_shows_the_beginning_of_what_does_not_fit(qtbot):
    button = ElidedButton("Undo model run brats-2 1")
    qtbot.addWidget(button)
    button.resize(90, 26)
    button.show()
    assert button.text().startswith("Undo m")
    assert button.text().endswith("…")
    assert button.fontMetrics().horizontalAdvance(button.text()) <= 90
    button.resize(400, 26)
    assert button.text() == button.full_text


@pytest.mark.parametrize("scheme", [LGG, BRATS2017])
def test_what_a_class_is_on_disk_can_be_read_in_the_width_of_the_panel(qtbot, scheme):
    palette = ClassPalette()
    qtbot.addWidget(palette)
    palette.show_scheme(scheme, {c.value: (1.0, 0.0, 0.0) for c in scheme.classes})
    for label in palette.volume_labels.values():
        label.setText("1234.5 mL")
    palette.resize(PANEL_WIDTH - 40, 200)
    palette.show()
    shown = {label.full_text: label for label in palette.findChildren(ElidedLabel)}
    for label_class in scheme.classes:
        if label_class.disk != label_class.value:
            assert shown[f"{label_class.disk} on disk"].text() == f"{label_class.disk} on disk"
    for text, label in shown.items():
        assert label.text() == text or label.text().endswith("…")
        assert "on disk" in label.toolTip()
