from dataclasses import replace
from pathlib import Path

import pytest
from journals import NOTE
from qtpy.QtWidgets import QLabel, QPushButton

from napari_brainseg.annotation.journal import DamagedJournal, Journal
from napari_brainseg.annotation.journal_format import Moment
from napari_brainseg.plugin.widgets.recovery_offer import RecoveryOffer


@pytest.fixture
def offer(qtbot):
    offer = RecoveryOffer()
    qtbot.addWidget(offer)
    return offer


def journal(name):
    return Journal(Path(name), NOTE, Moment(3, 1_767_323_045.0))


def buttons(offer, text):
    return [b for b in offer.findChildren(QPushButton) if b.text() == text]


def test_it_is_hidden_while_there_is_nothing_to_restore(offer):
    offer.show_found([])
    assert offer.isHidden()
    offer.show_found([journal("a"), journal("b")])
    assert not offer.isHidden()
    assert len(buttons(offer, "Restore")) == 2


def test_it_says_what_there_is_and_of_when(offer):
    one = journal("a")
    offer.show_found([one])
    texts = [label.text() for label in offer.findChildren(QLabel)]
    assert f"case 1/2: segmentation, {one.saved_at:%d %b %H:%M}" in texts


def test_restoring_keeps_the_row_until_it_is_done(offer, qtbot):
    one = journal("a")
    offer.show_found([one])
    with qtbot.waitSignal(offer.restore_requested) as signal:
        buttons(offer, "Restore")[0].click()
    assert signal.args == [one]
    assert offer.journals == (one,)
    offer.remove(one)
    assert offer.isHidden()


def test_discarding_removes_the_row(offer, qtbot):
    one, two = journal("a"), journal("b")
    offer.show_found([one, two])
    with qtbot.waitSignal(offer.discard_requested) as signal:
        buttons(offer, "Discard")[0].click()
    assert signal.args == [one]
    assert offer.journals == (two,)


def test_a_damaged_file_is_named_and_can_only_be_discarded(offer, qtbot):
    bad, good = DamagedJournal(Path("bad"), "bad cannot be read."), journal("a")
    offer.show_found([good, bad])
    assert len(buttons(offer, "Restore")) == 1
    assert "bad cannot be read." in [label.text() for label in offer.findChildren(QLabel)]
    with qtbot.waitSignal(offer.discard_requested) as signal:
        buttons(offer, "Discard")[1].click()
    assert signal.args == [bad]
    assert offer.journals == (good,)


def test_the_id_of_a_case_is_not_cut_off_in_a_narrow_panel(offer, qtbot):
    note = replace(NOTE, case_id="TCGA_CS_5397_20010315")
    offer.show_found([Journal(Path("a"), note, Moment(3, 1_767_323_045.0))])
    offer.resize(310, 200)
    offer.show()
    label = next(label for label in offer.findChildren(QLabel) if "TCGA" in label.text())
    assert label.width() >= label.fontMetrics().horizontalAdvance(note.case_id)
