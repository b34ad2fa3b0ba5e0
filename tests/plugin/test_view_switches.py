from __future__ import annotations

from typing import Any

from napari_brainseg.plugin.widgets.view_switches import ViewSwitches


def test_each_switch_says_what_is_wanted(qtbot: Any) -> None:
    switches = ViewSwitches()
    qtbot.addWidget(switches)
    said: list[tuple[str, bool]] = []
    switches.neurological_requested.connect(lambda on: said.append(("neurological", on)))
    switches.napari_wheel_requested.connect(lambda on: said.append(("wheel", on)))
    switches.neurological.click()
    switches.napari_wheel.click()
    switches.neurological.click()
    assert said == [("neurological", True), ("wheel", True), ("neurological", False)]
