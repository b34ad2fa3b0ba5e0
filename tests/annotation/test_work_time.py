import pytest

from napari_brainseg.annotation.work_time import LONGEST_PAUSE, WorkTime


@pytest.mark.parametrize(
    ("moments", "seconds"),
    [
        ([], 0),
        ([100.0], 0),
        ([100.0, 102.0, 107.5], 7.5),
        ([0.0, LONGEST_PAUSE], LONGEST_PAUSE),
        ([0.0, 5.0, 5.0 + LONGEST_PAUSE + 1, 8.0 + LONGEST_PAUSE + 1], 8.0),
    ],
)
def test_pauses_do_not_count(moments, seconds):
    work = WorkTime()
    for moment in moments:
        work.act(moment)
    assert work.seconds == pytest.approx(seconds)
