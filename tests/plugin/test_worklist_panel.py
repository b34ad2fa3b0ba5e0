"""What the Worklist panel shows and asks for."""

from pathlib import Path

import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest

from napari_brainseg.annotation.case_worklist import CaseLine, Outlook, ranked
from napari_brainseg.annotation.worklist import Place
from napari_brainseg.plugin.widgets.worklist_panel import WorklistPanel

HERE = (Path("a.nii"),)
PLACES = [Place(n, 0.1, f"reason {n}") for n in range(8)]


@pytest.fixture
def panel(qtbot):
    made = WorklistPanel()
    qtbot.addWidget(made)
    made.resize(340, 400)
    made.show()
    return made


@pytest.fixture
def lines():
    return ranked(
        [
            CaseLine("first", HERE, Path("data"), labelled=True, outlook=Outlook(0.25, 61234, 61.234)),
            CaseLine("second", HERE, Path("data")),
            CaseLine("third", HERE, Path("data"), confirmed=7, outlook=Outlook(0.5, 1234, None)),
        ]
    )


def rows(panel):
    items = [panel.cases.topLevelItem(n) for n in range(panel.cases.topLevelItemCount())]
    return [[item.text(column) for column in range(4)] for item in items]


def test_says_what_to_do_while_there_is_nothing(panel, lines):
    assert panel.next_step.text() == "Open a case or a folder of cases, and they are listed here."
    assert not panel.next_button.isEnabled()
    assert panel.cases.isHidden()

    panel.show_cases(lines, 0)
    panel.show_places([], None, labelled=False)
    assert panel.next_step.text() == "Segment the case, or start from labels, to see where to look first."

    panel.show_places([], None, labelled=True)
    assert panel.next_step.text() == "No slice looks wrong that is not confirmed already."
    assert not panel.next_button.isEnabled()


def test_lists_state_volume_and_rank_and_marks_the_open_case(panel, lines):
    panel.show_cases(lines, 1)

    assert rows(panel) == [
        ["first", "labelled", "61.2 mL", "1"],
        ["second", "new", "–", "2"],
        ["third", "7 confirmed", "1,234 vox", "–"],
    ]
    assert [panel.cases.topLevelItem(n).font(0).bold() for n in range(3)] == [False, True, False]
    assert "25%" in panel.cases.topLevelItem(0).toolTip(0)
    panel.show_cases(lines[:1], None)
    assert len(rows(panel)) == 1


def test_a_double_click_and_enter_open_a_case_and_a_single_click_does_not(panel, lines, qtbot):
    panel.show_cases(lines, 0)
    chosen = []
    panel.case_chosen.connect(chosen.append)
    place = panel.cases.visualItemRect(panel.cases.topLevelItem(2)).center()

    QTest.mouseClick(panel.cases.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert chosen == []
    QTest.mouseDClick(panel.cases.viewport(), Qt.MouseButton.LeftButton, pos=place)
    QTest.keyClick(panel.cases, Qt.Key.Key_Return)

    assert chosen == [2, 2]


def test_a_click_on_the_head_asks_to_sort(panel, lines):
    panel.show_cases(lines, 0)
    asked = []
    panel.sort_requested.connect(lambda: asked.append(1))

    header = panel.cases.header()
    QTest.mouseClick(header.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(5, header.height() // 2))

    assert asked == [1]


def test_shows_the_next_five_places_and_why_one_is_here(panel):
    panel.show_places(PLACES[1:], "Slice 0: reason 0.", labelled=True)

    assert [panel.places.item(n).text() for n in range(panel.places.count())] == [
        f"{n} — reason {n}" for n in range(1, 6)
    ]
    assert panel.places.item(0).toolTip() == "Slice 1: reason 1. About 10% of the errors are expected here."
    assert panel.reason.text() == "Slice 0: reason 0."
    assert panel.next_step.isHidden()


def test_a_click_on_a_place_and_the_button_ask_for_it(panel):
    panel.show_places(PLACES, None, labelled=True)
    chosen, asked = [], []
    panel.place_chosen.connect(chosen.append)
    panel.next_requested.connect(lambda: asked.append(1))

    centre = panel.places.visualItemRect(panel.places.item(2)).center()
    QTest.mouseClick(panel.places.viewport(), Qt.MouseButton.LeftButton, pos=centre)
    panel.next_button.click()

    assert chosen == [PLACES[2]]
    assert asked == [1]


def test_the_button_stays_after_the_last_place(panel):
    panel.show_places([], "Slice 3: reason 3.", labelled=True)

    assert panel.next_button.isEnabled()
    assert panel.places.isHidden()


def test_lists_are_as_high_as_their_rows(panel, lines):
    panel.show_cases(lines, 0)
    panel.show_places(PLACES, None, labelled=True)

    last = panel.places.visualItemRect(panel.places.item(4))
    assert 0 <= panel.places.viewport().height() - last.bottom() < last.height()
    last = panel.cases.visualItemRect(panel.cases.topLevelItem(2))
    assert 0 <= panel.cases.viewport().height() - last.bottom() < last.height()
