import pytest

from napari_brainseg.training.seat_belt import Kind, Scored, SeatBelt, Verdict


def scored(kind: Kind, *changes: float, name: str = "slice {}", before: float = 0.5) -> list[Scored]:
    return [
        Scored(kind, name.format(n), {"WT": before, "TC": before}, {"WT": before + 2 * change, "TC": before})
        for n, change in enumerate(changes)
    ]


def table(*groups: list[Scored]) -> SeatBelt:
    return SeatBelt(tuple(one for group in groups for one in group), "words")


def test_rows_are_means_by_kind_and_region() -> None:
    found = table(scored(Kind.LEARNT, 0.1, name="a"), scored(Kind.HELD_OUT, 0.1, 0.2)).rows()
    names = ["held out, WT", "held out, TC", "learnt, WT", "learnt, TC"]
    assert [row[0] for row in found] == names
    assert found[0][1:] == pytest.approx((0.5, 0.8))
    assert found[1][1:] == (0.5, 0.5)


@pytest.mark.parametrize(
    ("groups", "verdict", "words"),
    [
        ([scored(Kind.HELD_OUT, 0.02, 0.1)], Verdict.ACCEPT, "better on 2 of 2 held-out slices (+0.060 Dice)"),
        ([scored(Kind.HELD_OUT, 0.1, -0.02)], Verdict.ACCEPT, "better on 1 of 2 held-out slices (+0.040 Dice)"),
        ([scored(Kind.HELD_OUT, -0.02)], Verdict.DISCARD, "worse on 1 of 1 held-out slice (-0.020 Dice)"),
        ([scored(Kind.HELD_OUT, 0.001)], Verdict.DISCARD, "makes no difference"),
        (
            [scored(Kind.HELD_OUT, 0.001, name="a"), scored(Kind.LEARNT, 0.1)],
            Verdict.ACCEPT,
            "as good on the held-out case (+0.001 Dice), better on what it learnt",
        ),
        ([scored(Kind.HELD_OUT, -0.015), scored(Kind.LEARNT, 0.03)], Verdict.ACCEPT, "as good on the held-out slice"),
        ([scored(Kind.HELD_OUT, -0.015), scored(Kind.LEARNT, 0.01)], Verdict.DISCARD, "worse on 1 of 1"),
        ([scored(Kind.HELD_OUT, -0.025), scored(Kind.LEARNT, 0.3)], Verdict.DISCARD, "worse on 1 of 1"),
        ([scored(Kind.HELD_OUT, *[-0.015] * 4), scored(Kind.LEARNT, 0.3)], Verdict.DISCARD, "worse on 4 of 4"),
        ([scored(Kind.HELD_OUT, 0.2), scored(Kind.EARLIER, -0.03)], Verdict.DISCARD, "forgets what was corrected"),
        ([scored(Kind.HELD_OUT, 0.2), scored(Kind.EARLIER, -0.01)], Verdict.ACCEPT, "better on 1 of 1"),
        ([scored(Kind.HELD_OUT, 0.2), scored(Kind.PHANTOM, -0.3)], Verdict.DISCARD, "synthetic cases"),
        ([scored(Kind.LEARNT, 0.3)], Verdict.LOOK, "nothing was held out to judge it by"),
        ([], Verdict.LOOK, "nothing was scored"),
    ],
)
def test_what_is_recommended_and_why(groups: list[list[Scored]], verdict: Verdict, words: str) -> None:
    found = table(*groups)
    assert found.verdict is verdict
    assert words in found.reason


def test_the_table_as_plain_values() -> None:
    found = table(scored(Kind.HELD_OUT, 0.1), scored(Kind.PHANTOM, 0.0, name="p")).to_json()
    assert found["held_out"]["WT"] == {"before": 0.5, "after": pytest.approx(0.7)}
    assert set(found) == {"held_out", "phantom", "held_out_words", "recommendation", "reason"}
    assert found["recommendation"] == "accept"
