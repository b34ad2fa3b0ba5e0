"""The healthy part of a phantom: a folded brain with ventricles and deep grey matter, and the head around it.

Everything is a signed distance in mm, negative inside, so that one description serves every voxel size. The proportions
follow an adult brain of about 136 x 170 x 145 mm.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_brainseg.cases.smooth_field import FloatArray, Grid, SmoothField


class Places(NamedTuple):
    """Coordinates of every voxel in mm: z to superior, y to posterior, x to the patient's left."""

    z: FloatArray
    y: FloatArray
    x: FloatArray


@dataclass(frozen=True)
class BrainShape:
    """What differs from one brain to the next.

    Attributes:
        scale: Size along (Z, Y, X) relative to the mean brain.
        sulcus: Half the width of a sulcus in mm; more in an older brain.
        cortex: Thickness of the cortex in mm.
        left_ventricle: Width of the left lateral ventricle relative to the mean.
        right_ventricle: Width of the right one.
    """

    scale: tuple[float, float, float] = (1.0, 1.0, 1.0)
    sulcus: float = 0.6
    cortex: float = 2.8
    left_ventricle: float = 1.25
    right_ventricle: float = 0.9

    @classmethod
    def random(cls, rng: np.random.Generator) -> BrainShape:
        """Draw a brain."""
        z, y, x = rng.uniform(0.94, 1.05, 3)
        left, right = rng.uniform(0.75, 1.5, 2)
        return cls((z, y, x), rng.uniform(0.4, 0.9), rng.uniform(2.5, 3.2), left, right)


@dataclass(frozen=True, eq=False)
class Anatomy:
    """Tissue fractions of a healthy head on a grid, each (Z, Y, X) float32, 0 to 1, with sum 1 inside the brain.

    Attributes:
        fractions: By tissue: csf, grey, white, blood.
        brain: Signed distance to the surface of the brain in mm.
        stripped: Signed distance to what skull stripping leaves, cisterns included.
        ventricles: Signed distance to the ventricles in mm.
    """

    fractions: dict[str, FloatArray]
    brain: FloatArray
    stripped: FloatArray
    ventricles: FloatArray


def places(grid: Grid, shape: BrainShape, rng: np.random.Generator) -> Places:
    """Return where each voxel of `grid` lies in the mean brain, after the brain's own size and a smooth bending."""
    bends = [SmoothField.random(rng, 45.0).on(grid) * np.float32(2.5) for _ in range(3)]
    z, y, x = np.meshgrid(
        *(g / s for g, s in zip((grid.z, grid.y, grid.x), shape.scale, strict=True)), indexing="ij", copy=False
    )
    return Places(*(axis + bend for axis, bend in zip((z, y, x), bends, strict=True)))


def ramp(distance: NDArray[np.floating], width: float) -> FloatArray:
    """Return the share of a voxel of `width` mm that lies inside a surface at signed `distance` mm."""
    return np.asarray(np.clip(0.5 - distance / width, 0, 1), np.float32)


def ellipsoid(
    at: Places, centre: tuple[float, float, float], radii: tuple[float, float, float], power: float = 2.0
) -> FloatArray:
    """Return the signed distance to an ellipsoid, to first order.

    Args:
        at: Where to measure.
        centre: (Z, Y, X) in mm.
        radii: Along (Z, Y, X) in mm.
        power: 2 for an ellipsoid; more makes it boxier.
    """
    scaled = [np.abs(p - np.float32(c)) / np.float32(r) for p, c, r in zip(at, centre, radii, strict=True)]
    norm = sum(s**power for s in scaled) ** (1 / power)
    slopes = (s ** (power - 1) / np.float32(r) for s, r in zip(scaled, radii, strict=True))
    slope = np.sqrt(sum(s * s for s in slopes)) / np.maximum(norm, 1e-6) ** (power - 1)
    return np.asarray((norm - 1) / np.maximum(slope, 1e-6), np.float32)


def capsule(at: Places, start: tuple[float, ...], end: tuple[float, ...], radii: tuple[float, float]) -> FloatArray:
    """Return the signed distance to a tube from `start` to `end`, (Z, Y, X) in mm, with a radius for each end."""
    along = np.subtract(end, start).astype(np.float32)
    rel = [p - np.float32(s) for p, s in zip(at, start, strict=True)]
    t = np.clip(sum(r * a for r, a in zip(rel, along, strict=True)) / np.float32(along @ along), 0, 1)
    distance = np.sqrt(sum((r - t * a) ** 2 for r, a in zip(rel, along, strict=True)))
    return np.asarray(distance - (radii[0] + (radii[1] - radii[0]) * t), np.float32)


def united(first: FloatArray, second: FloatArray, blend: float) -> FloatArray:
    """Return the signed distance to the union of two shapes, rounded over `blend` mm where they meet."""
    share = np.clip(np.float32(0.5) + (second - first) / np.float32(2 * blend), 0, 1)
    return np.asarray(second + (first - second) * share - np.float32(blend) * share * (1 - share), np.float32)


def mirrored(at: Places, side: float) -> Places:
    """Return places with x counted from the middle to one side: 1 for the patient's left, -1 for the right."""
    return Places(at.z, at.y, at.x * np.float32(side))


class _Parts(NamedTuple):
    cerebrum: FloatArray
    temporal: FloatArray
    cerebellum: FloatArray
    stem: FloatArray
    brain: FloatArray
    stripped: FloatArray


def _parts(at: Places) -> _Parts:
    # The brain is narrower in front: x is stretched there before the ellipsoid is asked.
    egg = Places(at.z, at.y, at.x * (1 - np.float32(0.0012) * at.y))
    dome = ellipsoid(egg, (4.0, 0.0, 0.0), (66.0, 84.0, 67.0), power=2.35)
    floor = -(at.z + np.float32(22.0) - np.float32(0.10) * at.y)
    upper = -united(-dome, -floor, 10.0)
    both_sides = Places(at.z, at.y, np.abs(at.x))
    temporal = ellipsoid(both_sides, (-24.0, -4.0, 42.0), (22.0, 44.0, 24.0))
    cerebellum = ellipsoid(both_sides, (-41.0, 48.0, 20.0), (25.0, 31.0, 33.0))
    stem = capsule(at, (-16.0, 10.0, 0.0), (-85.0, 26.0, 0.0), (15.0, 9.0))
    cerebrum = united(upper, temporal, 5.0)
    brain = united(united(cerebrum, cerebellum, 4.0), stem, 4.0)
    # The fluid-filled cisterns below the brain belong to what skull stripping leaves.
    basal = ellipsoid(at, (-24.0, -6.0, 0.0), (14.0, 24.0, 24.0))
    stripped = united(united(united(upper, temporal, 12.0), basal, 6.0), united(cerebellum, stem, 12.0), 16.0)
    return _Parts(cerebrum, temporal, cerebellum, stem, brain, stripped)


def _sheet(field: FloatArray, grid: Grid) -> FloatArray:
    """Return the distance to the zero surface of a smooth field in mm, to first order."""
    slopes = np.gradient(field, grid.z, grid.y, grid.x)
    return np.asarray(np.abs(field) / np.maximum(np.sqrt(sum(s * s for s in slopes)), 1e-3), np.float32)


def _sulci(parts: _Parts, grid: Grid, width: float, rng: np.random.Generator) -> FloatArray:
    """Return the signed distance to the fluid in the sulci, which end at a depth that varies from place to place."""
    depth = -parts.brain
    reach = 17 + 7 * SmoothField.random(rng, 14.0).on(grid)
    folds = _sheet(SmoothField.random(rng, 6.0, banded=True).on(grid), grid)
    # Sulci gape towards the surface, some more than others.
    gape = width * (0.55 + 0.6 * np.exp(-np.maximum(depth, 0) / 6)) * (1 + 0.5 * SmoothField.random(rng, 12.0).on(grid))
    gyral = np.hypot(folds, np.maximum(depth - reach, 0)) - gape
    folia = _sheet(SmoothField.random(rng, 3.6, banded=True).on(grid), grid)
    folial = np.hypot(folia, np.maximum(-parts.cerebellum - 9, 0)) - 0.35 * width
    in_cerebellum = parts.cerebellum < np.minimum(parts.cerebrum, parts.stem)
    return np.asarray(np.where(in_cerebellum, folial, np.where(parts.stem < 2, 9.0, gyral)), np.float32)


def _fissures(at: Places, parts: _Parts, grid: Grid, width: float, rng: np.random.Generator) -> FloatArray:
    """Return the signed distance to the fluid between the hemispheres, in Sylvian fissures and round the cerebellum."""
    middle = at.x + np.float32(1.2) * SmoothField.random(rng, 22.0).on(grid)
    core = ellipsoid(at, (2.0, 4.0, 0.0), (24.0, 46.0, 60.0))
    hemispheres = np.hypot(middle, np.maximum(np.maximum(-core, -24 - at.z), 0)) - width
    outer = np.maximum(30 - np.abs(at.x), 0)
    sylvian = np.hypot(np.hypot(parts.temporal, outer), np.maximum(-10 - at.y - 30, 0)) - 1.6 * width
    sylvian = np.where(at.z > -30, sylvian, 9.0)
    clear_of_stem = np.maximum(8 - parts.stem, 0)
    tentorium = np.hypot(parts.cerebellum, clear_of_stem) - 1.2 * width
    inside = np.minimum(np.minimum(hemispheres, sylvian), tentorium)
    return np.asarray(inside, np.float32)


_HORNS = (
    ((2.0, -34.0, 13.0), (14.0, -12.0, 8.0), (3.2, 4.6)),
    ((14.0, -12.0, 8.0), (17.0, 14.0, 14.0), (4.6, 4.8)),
    ((17.0, 14.0, 14.0), (5.0, 32.0, 25.0), (4.8, 6.0)),
    ((5.0, 32.0, 25.0), (2.0, 54.0, 22.0), (5.0, 1.6)),
    ((5.0, 32.0, 25.0), (-17.0, 2.0, 33.0), (4.4, 1.8)),
)


def ventricles(at: Places, shape: BrainShape) -> FloatArray:
    """Return the signed distance to the lateral, third and fourth ventricles."""
    third = ellipsoid(at, (-4.0, 2.0, 0.0), (9.0, 13.0, 2.4))
    fourth = ellipsoid(at, (-44.0, 26.0, 0.0), (10.0, 5.0, 6.0))
    result = np.minimum(third, fourth)
    for side, size in ((1.0, shape.left_ventricle), (-1.0, shape.right_ventricle)):
        half = mirrored(at, side)
        for start, end, radii in _HORNS:
            tube = capsule(half, start, end, (radii[0] * size, radii[1] * size))
            result = united(result, tube, 2.0)
    return np.asarray(result, np.float32)


def _deep_grey(at: Places) -> FloatArray:
    half = Places(at.z, at.y, np.abs(at.x))
    # The putamen lies oblique: its back is farther from the middle than its front.
    oblique = Places(half.z, half.y, half.x - np.float32(0.22) * half.y)
    putamen = ellipsoid(oblique, (1.0, -4.0, 25.5), (11.0, 18.0, 5.5))
    thalamus = ellipsoid(half, (3.0, 12.0, 11.0), (9.0, 14.0, 8.5))
    caudate = capsule(half, (4.0, -28.0, 16.0), (18.0, 4.0, 19.0), (5.0, 2.5))
    return np.minimum(np.minimum(putamen, thalamus), caudate)


def _vessels(at: Places, parts: _Parts, grid: Grid, rng: np.random.Generator) -> FloatArray:
    """Return the signed distance to vessels: thin tubes over the brain and in its sulci, and the sagittal sinus."""
    one, other = (_sheet(SmoothField.random(rng, 9.0, banded=True).on(grid), grid) for _ in range(2))
    depth = -parts.brain
    thin = np.hypot(one, other) - 0.9 + 0.05 * np.maximum(depth - 8, 0)
    skull = ellipsoid(at, (4.0, 0.0, 0.0), (66.0, 86.0, 68.0))
    sinus = np.hypot(skull + 0.5, 0.8 * at.x) - 3.2
    return np.asarray(np.minimum(thin, np.where((at.z > -5) & (at.y > -50), sinus, 9.0)), np.float32)


def brain_anatomy(at: Places, grid: Grid, shape: BrainShape, blur: float, rng: np.random.Generator) -> Anatomy:
    """Return the tissues of a healthy brain at `at`; `blur` is the width of a voxel's edge in mm."""
    parts = _parts(at)
    sulci = np.minimum(_sulci(parts, grid, shape.sulcus, rng), _fissures(at, parts, grid, shape.sulcus, rng))
    surface = np.minimum(sulci, -parts.brain)
    chambers = ventricles(at, shape)
    fluid = np.maximum(ramp(surface, blur), ramp(chambers, blur))
    cortex = ramp(surface - np.float32(shape.cortex), blur) * (1 - ramp(parts.stem, 4.0))
    # Brainstem and cerebellar core are a mixture that no voxel resolves.
    mixed = 0.4 * ramp(np.minimum(parts.stem, parts.cerebellum), 6.0)
    grey = (1 - fluid) * np.maximum(np.maximum(cortex, mixed), 0.85 * ramp(_deep_grey(at), 1.5 * blur))
    blood = ramp(_vessels(at, parts, grid, rng), blur) * fluid * (chambers > 4)
    fractions = {"csf": fluid - blood, "grey": grey, "white": 1 - fluid - grey, "blood": blood}
    return Anatomy(fractions, parts.brain, parts.stripped, chambers)
