import pytest

from napari_brainseg.plugin.widgets.confirm_row import Confirmable, ConfirmRow, Several


@pytest.fixture
def row(qtbot):
    row = ConfirmRow()
    qtbot.addWidget(row)
    row.show_confirmable(Confirmable("1 of 5 slices", here=3, length=6, seen=2, last=1, anything=True))
    return row


def test_confirming_and_taking_back_are_asked_for(row, qtbot):
    assert row.text.text() == "1 of 5 slices confirmed"
    assert row.unconfirm_button.isHidden()
    with qtbot.waitSignal(row.confirm_requested):
        row.confirm_button.click()

    row.show_confirmable(Confirmable("1 of 5 slices", confirmed=True, length=6))
    assert not row.unconfirm_button.isHidden()
    with qtbot.waitSignal(row.unconfirm_requested):
        row.unconfirm_button.click()


@pytest.mark.parametrize(
    ("what", "words"),
    [
        (Several.SEEN, "All seen and left unchanged (2 slices)"),
        (Several.CASE, "The whole case (6 slices)"),
        (Several.LAST_BACK, "Take back what was confirmed last (1 slice)"),
        (Several.ALL_BACK, "Take back everything"),
    ],
)
def test_the_menu_says_how_many_and_asks(row, qtbot, what, words):
    action = row.menu_actions[what]
    assert action in row.several_button.menu().actions()
    assert (action.text(), action.isEnabled()) == (words, True)
    with qtbot.waitSignal(row.several_requested) as asked:
        action.trigger()
    assert asked.args == [what]


def test_what_cannot_be_done_cannot_be_chosen(row):
    row.show_confirmable(Confirmable())
    assert [action.isEnabled() for action in row.menu_actions.values()] == [False] * 4
    assert not row.range_action.isEnabled()


def test_a_range_begins_at_the_slice_shown(row, qtbot):
    assert row.range_fields.isHidden()
    row.range_action.trigger()
    assert not row.range_fields.isHidden()
    assert (row.first.value(), row.last.value(), row.last.maximum()) == (3, 3, 5)

    row.last.setValue(9)
    with qtbot.waitSignal(row.range_requested) as asked:
        row.range_button.click()
    assert asked.args == [3, 5]
    with qtbot.waitSignal(row.range_back_requested) as asked:
        row.range_back_button.click()
    assert asked.args == [3, 5]
    row.close_button.click()
    assert row.range_fields.isHidden()
