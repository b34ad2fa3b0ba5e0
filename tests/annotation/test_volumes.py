import csv

import numpy as np
import pytest

from napari_brainseg.annotation.volumes import label_counts, measure_volumes, write_volumes_csv
from napari_brainseg.base.errors import OutputError
from napari_brainseg.cases.labels import BRATS2017, LGG


@pytest.fixture
def labels():
    array = np.zeros((4, 10, 10), np.uint8)
    array[0, 0, :10] = 1
    array[1, :2] = 2
    array[2, :3] = 3
    return array


def test_volumes_of_classes_and_regions(labels):
    rows = {(r.kind, r.name): r for r in measure_volumes(label_counts(labels), BRATS2017, 500.0)}
    assert {key: (r.voxels, r.ml) for key, r in rows.items()} == {
        ("class", "NCR"): (10, 5.0),
        ("class", "ED"): (20, 10.0),
        ("class", "ET"): (30, 15.0),
        ("region", "WT"): (60, 30.0),
        ("region", "TC"): (40, 20.0),
        ("region", "ET"): (30, 15.0),
    }
    assert rows["region", "WT"].text == "30.0 mL"


def test_unknown_spacing_gives_voxels_and_no_millilitres(labels):
    rows = measure_volumes(label_counts(labels > 0), LGG, None)
    assert [(r.voxels, r.ml, r.text) for r in rows] == [(60, None, "60 voxels")] * 2


def test_foreign_values_are_a_row_of_their_own(labels):
    labels[3, 0, :4] = 7
    rows = measure_volumes(label_counts(labels), BRATS2017, 1000.0)
    assert (rows[-1].kind, rows[-1].voxels, rows[-1].ml) == ("foreign", 4, 4.0)
    assert sum(r.voxels for r in rows if r.name == "WT") == 60


def test_csv_holds_every_row(labels, tmp_path):
    rows = measure_volumes(label_counts(labels), BRATS2017, 500.0)
    path = write_volumes_csv(rows, tmp_path / "volumes.csv", case_id="case 1")
    table = list(csv.DictReader(path.open(encoding="utf-8")))
    assert [(r["case"], r["kind"], r["name"], r["voxels"], r["mL"]) for r in table][:4] == [
        ("case 1", "class", "NCR", "10", "5.000"),
        ("case 1", "class", "ED", "20", "10.000"),
        ("case 1", "class", "ET", "30", "15.000"),
        ("case 1", "region", "WT", "60", "30.000"),
    ]


def test_csv_leaves_millilitres_empty_where_unknown_and_replaces_nothing_unasked(labels, tmp_path):
    rows = measure_volumes(label_counts(labels > 0), LGG, None)
    path = write_volumes_csv(rows, tmp_path / "volumes.csv", case_id="a")
    assert {r["mL"] for r in csv.DictReader(path.open(encoding="utf-8"))} == {""}
    with pytest.raises(OutputError, match="exists"):
        write_volumes_csv(rows, path, case_id="b")
    write_volumes_csv(rows, path, case_id="b", overwrite=True)
    assert {r["case"] for r in csv.DictReader(path.open(encoding="utf-8"))} == {"b"}
