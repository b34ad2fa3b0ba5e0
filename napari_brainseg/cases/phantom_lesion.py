"""The sick part of a phantom: a glioma with necrotic core, enhancing rim and oedema, or a diffuse low-grade one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_brainseg.cases.phantom_anatomy import Anatomy, BrainShape, Places, ramp, ventricles
from napari_brainseg.cases.smooth_field import FloatArray, Grid, SmoothField


@dataclass(frozen=True)
class LesionShape:
    """Where a lesion lies and how large it is, in mm.

    Attributes:
        centre: (Z, Y, X) of its middle.
        core: Mean radius of the tumour core.
        rim: Mean thickness of the enhancing rim.
        oedema: How far the oedema reaches beyond the core.
        roughness: How irregular the outline is, relative to the core's radius.
        enhancing: Whether there is a core that takes up contrast agent; without one all is infiltrated tissue.
    """

    centre: tuple[float, float, float]
    core: float
    rim: float
    oedema: float
    roughness: float = 0.3
    enhancing: bool = True

    @classmethod
    def high_grade(cls, rng: np.random.Generator) -> LesionShape:
        """Draw a lesion with core, rim and oedema somewhere in the cerebrum."""
        core = rng.uniform(12, 24)
        return cls(
            _cerebral_place(rng, core),
            core,
            rng.uniform(3, 7),
            rng.uniform(6, 16),
            rng.uniform(0.2, 0.4),
            enhancing=True,
        )

    @classmethod
    def low_grade(cls, rng: np.random.Generator) -> LesionShape:
        """Draw a diffuse lesion without core."""
        core = rng.uniform(13, 26)
        return cls(_cerebral_place(rng, core), core, 0.0, rng.uniform(2, 8), rng.uniform(0.3, 0.5), enhancing=False)


@dataclass(frozen=True, eq=False)
class Lesion:
    """Tissue shares of a lesion, each (Z, Y, X) float32, 0 to 1: they replace what was there.

    Attributes:
        necrosis: The dead or non-enhancing core.
        enhancing: What takes up contrast agent.
        oedema: Swollen or infiltrated tissue around it.
    """

    necrosis: FloatArray
    enhancing: FloatArray
    oedema: FloatArray


def _cerebral_place(rng: np.random.Generator, core: float) -> tuple[float, float, float]:
    """Return a place in white matter, the first of eight drawn whose core keeps clear of the ventricles."""
    out, turn = rng.uniform(0.5, 0.68, 8), rng.uniform(0.15 * np.pi, 0.85 * np.pi, 8)
    side, up = rng.choice([-1.0, 1.0], 8), rng.uniform(-0.2, 0.45, 8)
    flat = np.sqrt(1 - up**2)
    drawn = np.stack([6 + out * up * 60, out * flat * -np.cos(turn) * 82, side * out * flat * np.sin(turn) * 64])
    clear = ventricles(Places(*drawn.astype(np.float32)), BrainShape()) > core
    z, y, x = drawn[:, int(clear.argmax())]
    return float(z), float(y), float(x)


def pushed_aside(at: Places, lesion: LesionShape) -> Places:
    """Return where the tissue of each voxel was before the lesion grew and pushed it away from its centre."""
    offset = [p - np.float32(c) for p, c in zip(at, lesion.centre, strict=True)]
    distance2 = sum(o * o for o in offset)
    reach = np.float32(1.7 * lesion.core)
    share = np.float32(0.55 if lesion.enhancing else 0.2) * np.exp(-distance2 / reach**2)
    return Places(*(p - o * share for p, o in zip(at, offset, strict=True)))


def _outline(at: Places, grid: Grid, lesion: LesionShape, rng: np.random.Generator) -> FloatArray:
    """Return the signed distance to the core: a stretched ball with an uneven surface."""
    stretch = rng.uniform(0.8, 1.25, 3)
    distance = np.sqrt(sum(((p - c) / s) ** 2 for p, c, s in zip(at, lesion.centre, stretch, strict=True)))
    rough = 0.7 * SmoothField.random(rng, 13.0).on(grid) + 0.3 * SmoothField.random(rng, 6.0).on(grid)
    return np.asarray(distance - lesion.core * (1 + lesion.roughness * rough), np.float32)


def grow(
    at: Places, grid: Grid, anatomy: Anatomy, lesion: LesionShape, blur: float, rng: np.random.Generator
) -> Lesion:
    """Return a lesion that grew in `anatomy`: it spares the ventricles, and its oedema runs along the white matter."""
    outline = _outline(at, grid, lesion, rng)
    tissue = ramp(anatomy.brain + 1.0, blur) * (1 - ramp(anatomy.ventricles - 1.0, blur))
    core = ramp(outline, blur) * tissue if lesion.enhancing else np.zeros_like(outline)
    thickness = lesion.rim * (1 + 0.5 * SmoothField.random(rng, 7.0).on(grid))
    # Strands and nodules of living tumour inside the dead core.
    nodules = ramp(1.1 - SmoothField.random(rng, 6.0).on(grid), 0.6)
    dead = ramp(outline + np.maximum(thickness, 0.8), blur) * (1 - nodules) * core
    fingers = lesion.oedema * (1 + 0.8 * SmoothField.random(rng, 11.0).on(grid))
    # Cortex resists the fluid: there the edge of the oedema draws back, and sulci stay open.
    resistance = 7.0 * anatomy.fractions["grey"] * (lesion.oedema / (lesion.oedema + 6))
    spread = ramp(outline - np.maximum(fingers, 0) + resistance, 1.5 * blur)
    open_sulci = np.minimum(anatomy.fractions["csf"] + anatomy.fractions["blood"], 1)
    swollen = np.clip(spread - core, 0, 1) * tissue * (1 - open_sulci)
    return Lesion(necrosis=dead, enhancing=core - dead, oedema=swollen)


def with_lesion(anatomy: Anatomy, lesion: Lesion) -> dict[str, FloatArray]:
    """Return the tissue fractions of `anatomy` where `lesion` replaced a share of each voxel."""
    sick = {"necrosis": lesion.necrosis, "enhancing": lesion.enhancing, "oedema": lesion.oedema}
    left = np.clip(1 - sum(sick.values()), 0, 1)
    return {name: fraction * left for name, fraction in anatomy.fractions.items()} | sick
