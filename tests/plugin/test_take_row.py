import pytest

from napari_brainseg.plugin.widgets.take_row import TakeRow


@pytest.fixture
def row(qtbot):
    made = TakeRow()
    qtbot.addWidget(made)
    made.show_place(3, 13, 150)
    return made


def test_this_slice_is_the_one_that_is_shown(row, qtbot):
    with qtbot.waitSignal(row.slices_requested) as asked:
        row.here_button.click()
    assert asked.args == [3, 3]

    row.show_place(7, 13, 150)
    with qtbot.waitSignal(row.slices_requested) as asked:
        row.here_button.click()
    assert asked.args == [7, 7]


def test_a_range_begins_as_the_whole_plane_and_keeps_what_was_entered(row, qtbot):
    assert (row.first.value(), row.last.value()) == (0, 12)
    row.first.setValue(4)
    row.show_place(5, 13, 150)
    with qtbot.waitSignal(row.slices_requested) as asked:
        row.range_button.click()
    assert asked.args == [4, 12]

    row.show_place(5, 240, 150)
    assert (row.first.value(), row.last.value()) == (0, 239)


def test_without_a_single_slice_all_is_what_is_left(row):
    row.show_place(None, 13, 150)

    assert not row.here_button.isEnabled()
    assert not row.range_button.isEnabled()
    assert row.all_button.isEnabled()


def test_nothing_to_take_cannot_be_taken(row):
    row.show_place(3, 13, 0)

    assert not any(b.isEnabled() for b in (row.here_button, row.range_button, row.all_button))
    assert row.done_link.isEnabled()
