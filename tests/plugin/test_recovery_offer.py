from pathlib import Path

import pytest
from qtpy.QtWidgets import QPushButton

from napari_brainseg.annotation.recovery import Recovery, RecoveryNote
from napari_brainseg.plugin.widgets.recovery_offer import RecoveryOffer


@pytest.fixture
def offer(qtbot):
    offer = RecoveryOffer()
    qtbot.addWidget(offer)
    return offer


def recovery(name):
    note = RecoveryNote("case", name, name, "brats2017", (1, 1, 1), saved="2026-01-02T03:04:05+00:00")
    return Recovery(Path(name), note)


def buttons(offer, text):
    return [b for b in offer.findChildren(QPushButton) if b.text() == text]


def test_it_is_hidden_while_there_is_nothing_to_restore(offer):
    offer.show_recoveries([])
    assert offer.isHidden()
    offer.show_recoveries([recovery("a"), recovery("b")])
    assert not offer.isHidden()
    assert len(buttons(offer, "Restore")) == 2


def test_restoring_keeps_the_row_until_it_is_done(offer, qtbot):
    one = recovery("a")
    offer.show_recoveries([one])
    with qtbot.waitSignal(offer.restore_requested) as signal:
        buttons(offer, "Restore")[0].click()
    assert signal.args == [one]
    assert offer.recoveries == (one,)
    offer.remove(one)
    assert offer.isHidden()


def test_discarding_removes_the_row(offer, qtbot):
    one, two = recovery("a"), recovery("b")
    offer.show_recoveries([one, two])
    with qtbot.waitSignal(offer.discard_requested) as signal:
        buttons(offer, "Discard")[0].click()
    assert signal.args == [one]
    assert offer.recoveries == (two,)
