from __future__ import annotations

import numpy as np
import pytest

from napari_brainseg.cases.phantom_anatomy import BrainShape, brain_anatomy, places
from napari_brainseg.cases.phantom_lesion import LesionShape, grow, pushed_aside, with_lesion
from napari_brainseg.cases.smooth_field import Grid

GRID = Grid.centred((36, 48, 48), (4.0, 4.0, 4.0))


def make(lesion, seed=2):
    rng, shape = np.random.default_rng(seed), BrainShape()
    at = places(GRID, shape, rng)
    anatomy = brain_anatomy(pushed_aside(at, lesion), GRID, shape, 4.0, rng)
    return at, anatomy, grow(at, GRID, anatomy, lesion, 4.0, rng)


def test_the_lesion_lies_where_it_was_asked_for():
    for x in (30.0, -30.0):
        _, _, lesion = make(LesionShape((20.0, -20.0, x), core=16, rim=5, oedema=9))
        core = lesion.necrosis + lesion.enhancing
        weight = core.sum()
        found = [(core.sum(other) * axis).sum() / weight for axis, other in ((GRID.z, (1, 2)), (GRID.x, (0, 1)))]
        assert found == pytest.approx([20.0, x], abs=8)


def test_shares_stay_between_nothing_and_all():
    _, anatomy, lesion = make(LesionShape((20.0, -10.0, 32.0), core=18, rim=5, oedema=14))
    fractions = with_lesion(anatomy, lesion)
    assert all(f.min() >= -1e-6 and f.max() <= 1 + 1e-6 for f in fractions.values())
    np.testing.assert_allclose(sum(fractions.values()), 1, atol=1e-5)


def test_the_rim_lies_round_the_core():
    _, _, lesion = make(LesionShape((20.0, -10.0, 32.0), core=22, rim=4, oedema=10, roughness=0.1))
    at = places(GRID, BrainShape(), np.random.default_rng(2))
    away = np.sqrt((at.z - 20) ** 2 + (at.y + 10) ** 2 + (at.x - 32) ** 2)
    mean = {
        n: float((away * getattr(lesion, n)).sum() / getattr(lesion, n).sum())
        for n in ("necrosis", "enhancing", "oedema")
    }
    assert mean["necrosis"] < mean["enhancing"] < mean["oedema"]


def test_a_low_grade_lesion_has_no_core():
    _, _, lesion = make(LesionShape((20.0, -10.0, 32.0), core=18, rim=0, oedema=5, enhancing=False))
    assert lesion.necrosis.max() == lesion.enhancing.max() == 0
    assert lesion.oedema.sum() > 100


def test_the_ventricles_are_spared():
    _, anatomy, lesion = make(LesionShape((14.0, 8.0, 20.0), core=20, rim=4, oedema=15))
    inside = anatomy.ventricles < -3
    assert inside.sum() > 20
    assert (lesion.necrosis + lesion.enhancing + lesion.oedema)[inside].max() < 0.05


def test_tissue_is_pushed_away_from_the_centre():
    lesion = LesionShape((0.0, 0.0, 30.0), core=15, rim=4, oedema=10)
    at = places(GRID, BrainShape(), np.random.default_rng(0))
    before = pushed_aside(at, lesion)
    now, then = at.x - 30, before.x - 30
    assert (np.abs(then) <= np.abs(now) + 1e-4).all()
    far = np.abs(now) > 90
    np.testing.assert_allclose(before.x[far], at.x[far], atol=0.01)


@pytest.mark.parametrize("draw", [LesionShape.high_grade, LesionShape.low_grade])
def test_drawn_lesions_differ_and_lie_in_the_cerebrum(draw):
    drawn = [draw(np.random.default_rng(seed)) for seed in range(30)]
    assert len({lesion.centre for lesion in drawn}) == 30
    assert {np.sign(lesion.centre[2]) for lesion in drawn} == {-1.0, 1.0}
    assert all(abs(lesion.centre[2]) < 60 and abs(lesion.centre[1]) < 70 for lesion in drawn)
