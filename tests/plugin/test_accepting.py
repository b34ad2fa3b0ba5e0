"""From Fine-tune to the new answer in the real window: table, difference, accept, take, undo; and what is protected."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from case_files import TUMOUR_SLICE, write_case

from napari_brainseg.annotation.project import Project
from napari_brainseg.model_store.store import read_record
from napari_brainseg.plugin.layers import Role
from napari_brainseg.plugin.widgets.segment_control import go_to_slice
from napari_brainseg.training.seat_belt import Kind, Scored, SeatBelt

CONFIRMED = (TUMOUR_SLICE - 1, TUMOUR_SLICE, TUMOUR_SLICE + 1)
STROKE = TUMOUR_SLICE - 3


@pytest.fixture
def taught(tiny_model: str, opened: Any, qtbot: Any) -> Any:
    """A workbench whose tiny model was taught from three slices; a stroke lies on a fourth; nothing is decided."""
    bench = opened
    bench.segment_control.refresh_models("tiny")
    bench.segment_panel.task.start_button.click()
    qtbot.waitUntil(lambda: not bench.segment_panel.task.running, timeout=60_000)
    truth = np.asarray(bench.case.labels.volume.data, np.uint8)
    for index in CONFIRMED:
        go_to_slice(bench.viewer, bench.case, index)
        labels = np.array(bench.bridge.labels)
        labels[index] = truth[index]
        bench.bridge.apply(labels, "brush")
        assert bench.confirmations.confirm_slice()
    stroke = np.array(bench.bridge.labels)
    stroke[STROKE, 20, 10:16] = np.where(stroke[STROKE, 20, 10:16] == 1, 2, 1)
    mine = stroke != bench.bridge.labels
    bench.bridge.apply(stroke, "brush")
    form = bench.learn_panel.form
    form.steps.setValue(8)
    form.rate.setCurrentText("strong, 0.001")
    form.keep.setValue(0)
    teach(bench, qtbot)
    box = bench.learn_panel.box
    return SimpleNamespace(bench=bench, box=box, before=bench.bridge.labels.copy(), mine=mine, qtbot=qtbot)


def teach(bench: Any, qtbot: Any) -> None:
    bench.learn_panel.row.start_button.click()
    qtbot.waitUntil(lambda: not bench.learn_panel.row.running, timeout=120_000)
    assert bench.learn_panel.error.text() == ""


def accept(work: Any) -> None:
    work.box.accept_button.click()
    work.qtbot.waitUntil(lambda: work.box.headline.text() == "Accepted", timeout=60_000)


def difference(work: Any) -> Any:
    layers = work.bench.layers.ours(Role.DIFFERENCE)
    return layers[0] if layers else None


def test_the_whole_way_to_the_new_answer(taught: Any) -> None:
    bench, box, before = taught.bench, taught.box, taught.before
    assert [row[0] for row in box.table.texts() if len(row) == 1] == ["held out", "learnt", "phantoms"]
    assert difference(taught) is None
    box.tick.click()
    offered = difference(taught).data > 0
    assert offered.any()
    assert box.difference.text() == f"{np.count_nonzero(offered):,} voxels of this case would change."
    assert not offered[list(CONFIRMED)].any()
    assert not offered[taught.mine].any()
    box.tick.click()
    assert difference(taught) is None

    accept(taught)

    record = bench.segment_panel.model
    assert record.folder == bench.project_control.project.models / "tiny-2"
    assert bench.learn_panel.state.text().endswith("Teaches a copy of tiny·2.")
    np.testing.assert_array_equal(bench.bridge.labels, before)
    np.testing.assert_array_equal(difference(taught).data > 0, offered)
    busiest = int(offered.sum(axis=(1, 2)).argmax())
    go_to_slice(bench.viewer, bench.case, busiest)

    box.take.here_button.click()

    changed = bench.bridge.labels != before
    np.testing.assert_array_equal(changed[busiest], offered[busiest])
    assert not np.delete(changed, busiest, axis=0).any()
    assert not difference(taught).data[busiest].any()
    bench.bridge.undo()
    np.testing.assert_array_equal(bench.bridge.labels, before)
    assert bench.viewer.status.startswith("Undid: model run tiny·2, slice")

    box.take.all_button.click()

    changed = bench.bridge.labels != before
    np.testing.assert_array_equal(changed, offered)
    assert not difference(taught).data.any()
    assert not box.take.all_button.isEnabled()
    assert bench.bridge.history.next_undo.source == "model run tiny·2"
    box.take.done_link.click()
    assert box.isHidden()
    assert difference(taught) is None


def test_what_is_painted_before_taking_is_protected_too(taught: Any) -> None:
    bench, box = taught.bench, taught.box
    accept(taught)
    offered = difference(taught).data > 0
    place = tuple(np.argwhere(offered)[0])
    labels = np.array(bench.bridge.labels)
    labels[place] = 1 + labels[place] % 3
    bench.bridge.apply(labels, "brush")

    box.take.all_button.click()

    assert bench.bridge.labels[place] == labels[place]


def test_discard_takes_the_difference_away(taught: Any) -> None:
    taught.box.tick.click()

    taught.box.discard_button.click()

    assert difference(taught) is None
    assert taught.box.isHidden()
    assert taught.bench.segment_panel.model.name == "tiny"
    assert not list(taught.bench.project_control.project.models.glob("*"))


def test_another_case_takes_the_offers_away_and_the_decision_waits(taught: Any, tmp_path: Any) -> None:
    bench, box, qtbot = taught.bench, taught.box, taught.qtbot
    first, folder = bench.case, bench.case.paths["flair"][0].parent
    box.tick.click()
    bench.open_paths([write_case(tmp_path / "other", "Brats18_Other_1_1")])
    qtbot.waitUntil(lambda: bench.case is not first, timeout=20_000)

    assert difference(taught) is None
    assert box.tick.isHidden()
    assert not box.isHidden()
    assert bench.learn_panel.state.text() == "Accept or discard the new model first."

    accept(taught)
    assert bench.segment_panel.model.name == "tiny-2"
    assert box.take.isHidden()

    other = bench.case
    bench.open_paths([folder])
    qtbot.waitUntil(lambda: bench.case is not other and bench.bridge.layer is not None, timeout=20_000)
    qtbot.waitUntil(lambda: not box.take.isHidden(), timeout=20_000)
    assert box.difference.text().endswith("of this case would change.")


def test_the_model_is_saved_where_it_was_taught_though_another_project_is_open(taught: Any, tmp_path: Any) -> None:
    bench = taught.bench
    first = bench.project_control.project
    bench.project_control.open(Project.open_or_create(tmp_path / "another").folder)

    accept(taught)

    assert read_record(first.models / "tiny-2").parent == "tiny"
    assert str(first.folder) in taught.box.reason.text()
    assert not bench.project_control.project.models.exists()
    # The user's own project is always looked into.
    assert bench.segment_panel.model.folder == first.models / "tiny-2"


def test_against_the_recommendation_it_is_accept_anyway(taught: Any) -> None:
    worse = SeatBelt((Scored(Kind.HELD_OUT, "slice 5", {"WT": 0.75}, {"WT": 0.25}),), "1 of 3 slices: 5")
    taught.box.show_candidate(worse)
    assert taught.box.accept_button.text() == "Accept anyway"

    accept(taught)

    assert taught.bench.segment_panel.model.name == "tiny-2"


def test_closing_with_an_undecided_model_keeps_nothing(taught: Any) -> None:
    models = taught.bench.project_control.project.models
    taught.box.tick.click()

    taught.bench.close_down()

    assert not list(models.glob("*"))
    assert "would change" not in [layer.name for layer in taught.bench.viewer.layers]
