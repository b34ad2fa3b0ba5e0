from napari_brainseg.plugin.widgets.score_table import ScoreTable

HEAD = ["Dice", "before", "after", "change"]


def test_several_regions_stand_below_their_kind(qtbot):
    table = ScoreTable()
    qtbot.addWidget(table)

    table.show_rows([("held out, WT", 0.5, 0.625), ("held out, ET", 0.5, 0.25), ("phantoms, WT", 0.75, 0.75)])

    assert table.texts() == [
        HEAD,
        ["held out"],
        ["WT", "0.500", "0.625", "+0.125"],
        ["ET", "0.500", "0.250", "-0.250"],
        ["phantoms"],
        ["WT", "0.750", "0.750", "+0.000"],
    ]


def test_a_single_region_needs_no_rows_of_its_own_and_the_last_table_is_gone(qtbot):
    table = ScoreTable()
    qtbot.addWidget(table)
    table.show_rows([("held out, WT", 0.5, 0.625), ("held out, ET", 0.5, 0.25)])

    table.show_rows([("held out, WT", 0.5, 0.625), ("phantoms, WT", 0.75, 0.5)])

    assert table.texts() == [HEAD, ["held out", "0.500", "0.625", "+0.125"], ["phantoms", "0.750", "0.500", "-0.250"]]


def test_green_is_better_and_red_is_worse(qtbot):
    table = ScoreTable()
    qtbot.addWidget(table)
    table.show_rows([("a, WT", 0.5, 0.625), ("b, WT", 0.5, 0.25), ("c, WT", 0.5, 0.5001)])

    names = [table.layout().itemAtPosition(row, 3).widget().objectName() for row in (1, 2, 3)]

    assert names == ["good", "error", "fact"]
