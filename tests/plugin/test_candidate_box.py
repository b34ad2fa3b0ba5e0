import pytest

from napari_brainseg.plugin.widgets.candidate_box import CandidateBox
from napari_brainseg.training.seat_belt import Kind, Scored, SeatBelt, Verdict


def table(held_out, phantom=0.0):
    """A table of one held-out slice and one phantom whose Dice changed by so much."""
    changes = ((Kind.HELD_OUT, "slice 61", held_out), (Kind.PHANTOM, "p", phantom))
    return SeatBelt(tuple(Scored(k, n, {"WT": 0.5}, {"WT": 0.5 + c}) for k, n, c in changes), "1 of 5 slices: 61")


@pytest.fixture
def box(qtbot):
    made = CandidateBox()
    qtbot.addWidget(made)
    return made


def test_is_hidden_until_there_is_a_model(box):
    assert box.isHidden()
    box.show_candidate(table(0.125))
    assert not box.isHidden()


def test_a_better_model_is_recommended_in_words(box):
    box.show_candidate(table(0.125))

    assert box.headline.text() == "Recommended: accept"
    assert box.reason.text() == "Better on 1 of 1 held-out slice (+0.125 Dice)."
    assert box.held_out.text() == "Held out: 1 of 5 slices: 61."
    assert box.accept_button.text() == "Accept"
    assert (box.accept_button.objectName(), box.discard_button.objectName()) == ("primary", "")
    assert box.table.texts() == [
        ["Dice", "before", "after", "change"],
        ["held out", "0.500", "0.625", "+0.125"],
        ["phantoms", "0.500", "0.500", "+0.000"],
    ]


def test_a_worse_model_can_be_accepted_anyway(box, qtbot):
    box.show_candidate(table(-0.125))

    assert box.headline.text() == "Recommended: discard"
    assert box.reason.text() == "Worse on 1 of 1 held-out slice (-0.125 Dice)."
    assert box.accept_button.text() == "Accept anyway"
    assert (box.accept_button.objectName(), box.discard_button.objectName()) == ("", "primary")
    with qtbot.waitSignal(box.accept_requested):
        box.accept_button.click()
    with qtbot.waitSignal(box.discard_requested):
        box.discard_button.click()


def test_without_scores_nothing_is_recommended(box):
    box.show_candidate(SeatBelt())

    assert box.headline.text() == "No recommendation"
    assert box.table.isHidden()
    assert box.held_out.isHidden()
    assert (box.accept_button.objectName(), box.discard_button.objectName()) == ("", "")


def test_while_it_is_saved_nothing_can_be_pressed_and_a_failure_asks_again(box):
    box.show_candidate(table(-0.125))
    box.show_saving()
    assert not box.accept_button.isEnabled()
    assert not box.discard_button.isEnabled()

    box.show_undecided("The disk is full.")

    assert box.error.text() == "The disk is full."
    assert box.accept_button.text() == "Accept anyway"
    assert box.accept_button.isEnabled()


@pytest.mark.parametrize(
    ("voxels", "words", "ticks"),
    [
        (12345, "12,345 voxels of this case would change.", True),
        (1, "1 voxel of this case would change.", True),
        (0, "Nothing of this case would change outside what you confirmed or changed.", False),
    ],
)
def test_says_how_much_would_change(box, qtbot, voxels, words, ticks):
    box.show_candidate(table(0.125))
    box.show_difference(voxels, shown=False)

    assert box.difference.text() == words
    assert box.tick.isEnabled() is ticks


def test_ticking_asks_and_showing_does_not(box, qtbot):
    asked = []
    box.difference_toggled.connect(asked.append)
    box.show_difference(5, shown=True)
    assert asked == []
    assert box.tick.isChecked()

    box.tick.click()

    assert asked == [False]


def test_without_an_answer_there_is_nothing_to_tick(box):
    box.show_difference(None, shown=False, problem="LGG cannot hold it.")

    assert box.tick.isHidden()
    assert box.difference.text() == "LGG cannot hold it."


def test_once_accepted_only_its_answer_is_offered(box, qtbot):
    box.show_candidate(table(0.125), ["16 slices a step."])
    box.show_accepted("lgg·2 is saved.")
    box.show_take(3, 13, 150)

    assert box.headline.text() == "Accepted"
    assert box.table.isHidden()
    assert box.notes.isHidden()
    assert not box.accept_button.isVisibleTo(box)
    assert not box.take.isHidden()
    box.show_take(3, 13, None)
    assert box.take.isHidden()
    for signal, button in ((box.all_requested, box.take.all_button), (box.done_requested, box.take.done_link)):
        box.show_take(3, 13, 150)
        with qtbot.waitSignal(signal):
            button.click()


def test_every_verdict_has_words():
    assert {table(0.125).verdict, table(-0.125).verdict, SeatBelt().verdict} == set(Verdict)
