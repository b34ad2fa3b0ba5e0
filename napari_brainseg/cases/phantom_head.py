"""What lies around the brain of a phantom that was not skull-stripped: fluid, skull, scalp, muscle, eyes and air."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from napari_brainseg.cases.phantom_anatomy import Places, ellipsoid, ramp, united
from napari_brainseg.cases.smooth_field import FloatArray, Grid, SmoothField


def _outside(at: Places) -> FloatArray:
    """Return the signed distance to the skin."""
    egg = Places(at.z, at.y, at.x * (1 - np.float32(0.0010) * at.y))
    skull = ellipsoid(egg, (0.0, 1.0, 0.0), (84.0, 101.0, 83.0))
    face = ellipsoid(at, (-70.0, -18.0, 0.0), (75.0, 78.0, 66.0))
    nose = ellipsoid(at, (-58.0, -96.0, 0.0), (26.0, 16.0, 14.0))
    return united(united(skull, face, 14.0), nose, 8.0)


def _soft_parts(at: Places, grid: Grid, rng: np.random.Generator) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return air, the vitreous of the eyes and the share of fat among muscle, below the brain."""
    half = Places(at.z, at.y, np.abs(at.x))
    maxillary = ellipsoid(half, (-66.0, -62.0, 26.0), (18.0, 18.0, 13.0))
    nasal = ellipsoid(half, (-58.0, -62.0, 5.0), (24.0, 26.0, 4.0))
    frontal = ellipsoid(half, (-24.0, -90.0, 10.0), (10.0, 5.0, 9.0))
    mastoid = ellipsoid(half, (-52.0, 22.0, 56.0), (14.0, 13.0, 9.0))
    # The mastoid's cells are walls and air in small alternation.
    mastoid = np.maximum(mastoid, SmoothField.random(rng, 3.5).on(grid) * 2)
    air = np.minimum(np.minimum(maxillary, nasal), np.minimum(frontal, mastoid))
    eyes = ellipsoid(half, (-38.0, -78.0, 32.0), (12.0, 12.0, 12.0))
    fatty = ramp(0.6 - SmoothField.random(rng, 6.5).on(grid), 1.2)
    orbit = ellipsoid(half, (-38.0, -66.0, 28.0), (17.0, 26.0, 17.0))
    return air, eyes, np.maximum(fatty, 0.9 * ramp(orbit, 3.0))


def add_head(
    fractions: Mapping[str, FloatArray], inside: NDArray[np.bool_], grid: Grid, rng: np.random.Generator
) -> tuple[dict[str, FloatArray], FloatArray]:
    """Return tissue fractions of a head, with those of the brain `inside`, and the signed distance to the skin."""
    at = Places(*np.meshgrid(grid.z, grid.y, grid.x, indexing="ij", copy=False))
    skin = _outside(at) + np.float32(1.5) * SmoothField.random(rng, 40.0).on(grid)
    air, eyes, fatty = _soft_parts(at, grid, rng)
    brain = inside.astype(np.float32)
    vault = ramp(at.z + 34, 8.0)  # 0 beside the skullcap, 1 beside the face
    scalp = ramp(skin, 1.0) * ramp(-skin - 5.5, 1.0)
    skull = ramp(skin + 5.5, 1.0) * ramp(-skin - 11.5, 1.5) * (1 - vault)
    spongy = np.clip(SmoothField.random(rng, 9.0).on(grid) * 0.5 + 0.3, 0, 0.8)
    marrow = skull * spongy * ramp(np.abs(skin + 8.5) - 1, 2.0)
    deep = ramp(skin + 5.5, 1.0) - skull
    soft = deep * vault * (1 - ramp(air, 1.0)) * (1 - ramp(eyes, 1.0))
    outer = {
        "fat": 0.8 * scalp + soft * fatty + marrow,
        "muscle": 0.2 * scalp + soft * (1 - fatty) * 0.8,
        "bone": skull - marrow + soft * (1 - fatty) * 0.2,
        "csf": deep * (1 - vault) + deep * vault * ramp(eyes, 1.0) * (1 - ramp(air, 1.0)),
    }
    names = dict.fromkeys([*fractions, *outer])
    nothing = np.zeros_like(brain)
    whole = {n: fractions.get(n, nothing) * brain + outer.get(n, nothing) * (1 - brain) for n in names}
    return whole, skin
