from qtpy.QtWidgets import QLabel

from napari_brainseg.plugin.widgets.fold import Fold


def test_folding_hides_the_content_and_keeps_the_header(qtbot):
    fold = Fold("Case", QLabel("content"))
    qtbot.addWidget(fold)
    fold.show()
    fold.header.click()
    assert not fold.is_open
    assert not fold.content.isVisible()
    assert fold.header.isVisible()
    fold.set_open(True)
    assert fold.content.isVisible()


def test_a_long_summary_is_shortened_and_never_widens(qtbot):
    fold = Fold("Case", QLabel("content"))
    qtbot.addWidget(fold)
    fold.resize(300, 100)
    fold.show()
    fold.set_summary("Brats18_CBICA_" + "A" * 60 + "_1")

    assert fold.width() == 300
    assert "…" in fold.summary.text()
    assert fold.summary.toolTip().endswith("A_1")
