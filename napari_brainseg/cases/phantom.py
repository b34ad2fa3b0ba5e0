"""Synthetic cases for samples, tests and training: `make_volume_phantom` and `make_lgg_phantom`.

A phantom has a folded brain, a lesion whose extent is known voxel for voxel, and the contrasts that MR signal equations
give to its tissues. Nothing in it comes from a patient.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import gaussian_filter

from napari_brainseg.cases import mr_signal
from napari_brainseg.cases.case import BRATS_CHANNELS, LGG_CHANNELS, Case, Labels, Naming
from napari_brainseg.cases.labels import BRATS2017, LGG, LabelArray
from napari_brainseg.cases.phantom_anatomy import BrainShape, brain_anatomy, places
from napari_brainseg.cases.phantom_head import add_head
from napari_brainseg.cases.phantom_lesion import Lesion, LesionShape, grow, pushed_aside, with_lesion
from napari_brainseg.cases.smooth_field import FloatArray, Grid, SmoothField
from napari_brainseg.cases.volume import Geometry, Shape, Spacing, Volume

_SEQUENCES = {
    "flair": mr_signal.FLAIR,
    "t1": mr_signal.T1,
    "t1ce": mr_signal.T1CE,
    "t2": mr_signal.T2,
    "pre": mr_signal.T1,
    "post": mr_signal.T1CE,
}


@dataclass(frozen=True)
class Scan:
    """How the channels of one phantom were acquired.

    Attributes:
        tissues: Relaxation times of every tissue.
        uptake: mmol of contrast agent per litre of every tissue.
        noise: Standard deviation of the Rician noise, relative to the signal of white matter.
        shading: Standard deviation of the bias field.
        texture: How uneven tissue is within one kind, relative to its signal.
        softness: Sigma of the blur by the point spread, in voxels along (Z, Y, X).
    """

    tissues: Mapping[str, mr_signal.Tissue]
    uptake: Mapping[str, float]
    noise: float
    shading: float
    texture: float
    softness: tuple[float, float, float]

    @classmethod
    def random(cls, rng: np.random.Generator, softness: tuple[float, float, float]) -> Scan:
        """Draw a scanner and a patient: relaxation times vary by some percent, those of sick tissue by more."""
        tissues = {}
        for name, tissue in mr_signal.TISSUES.items():
            spread = 0.08 if name in ("necrosis", "enhancing", "oedema") else 0.04
            t1, t2 = np.exp(rng.normal(0, spread, 2))
            tissues[name] = replace(tissue, t1=tissue.t1 * t1, t2=tissue.t2 * t2)
        uptake = {name: value * rng.uniform(0.7, 1.4) for name, value in mr_signal.UPTAKE.items()}
        return cls(tissues, uptake, rng.uniform(0.02, 0.05), rng.uniform(0.03, 0.10), rng.uniform(0.03, 0.06), softness)


def make_volume_phantom(
    seed: int,
    shape: Shape = (64, 128, 128),
    spacing: Spacing = (2.25, 1.5, 1.5),
    lesion: LesionShape | None = None,
) -> Case:
    """Make a skull-stripped four-channel case with BraTS 2017 labels.

    Args:
        seed: Decides everything that is random; the same seed gives the same case.
        shape: Voxels along (Z, Y, X).
        spacing: mm along (Z, Y, X); shape times spacing of about 140 x 190 x 190 mm holds the whole brain.
        lesion: Where the lesion lies; drawn from `seed` by default.

    Returns:
        A case in LPS+ whose channels are int16 with 0 outside the brain.
    """
    rng = np.random.default_rng(seed)
    grid = Grid.centred(shape, spacing)
    wanted = LesionShape.high_grade(rng)
    fractions, grown, inside = _patient(grid, lesion or wanted, spacing, rng)
    scan = Scan.random(rng, softness=tuple(rng.uniform(0.35, 0.6, 3)))
    geometry = _brats_geometry(shape, spacing)
    channels = {}
    for name in BRATS_CHANNELS:
        clean = _acquire(fractions, name, scan, grid, rng)
        top = rng.uniform(350, 900)
        counts = np.clip(np.rint(clean * top / np.percentile(clean[inside], 99)), 1, 32767)
        channels[name] = Volume(np.where(inside, counts, 0).astype(np.int16), geometry)
    labels = _labels(grown) * inside.astype(np.uint8)
    return _case(f"Phantom_{seed:03d}", channels, labels, geometry, Naming.BRATS_2017)


def make_lgg_phantom(seed: int, slices: int = 20, lesion: LesionShape | None = None) -> Case:
    """Make a case of 256 x 256 slices with skull, channels pre, flair and post, and labels of the FLAIR abnormality.

    The channels are uint8 (Z, 256, 256) as in the Kaggle LGG set; the spacing is left unknown, as it is there.

    Args:
        seed: Decides everything that is random; the same seed gives the same case.
        slices: Number of slices, from the skull base to the crown.
        lesion: Where the lesion lies; drawn from `seed` by default.
    """
    rng = np.random.default_rng(seed)
    pixel = rng.uniform(0.88, 1.0)
    spacing = (134.0 / slices, pixel, pixel)
    centred = Grid.centred((slices, 256, 256), spacing)
    grid = Grid(centred.z + np.float32(8.0), centred.y, centred.x)
    wanted = LesionShape.low_grade(rng)
    fractions, grown, inside = _patient(grid, lesion or wanted, (1.5 * pixel, pixel, pixel), rng)
    fractions, skin = add_head(fractions, inside, grid, rng)
    # A head coil hears the scalp, which lies next to it, better than the brain.
    coil = 1 + rng.uniform(0.4, 1.0) * np.exp(np.minimum(skin, 0) / 9)
    scan = Scan.random(rng, softness=(0.0, *rng.uniform(0.4, 0.8, 2)))
    geometry = Geometry((slices, 256, 256))
    channels = {}
    for name in LGG_CHANNELS:
        clean = _acquire(fractions, name, scan, grid, rng) * coil
        # The scalp's fat takes most of the range, so the brain is rather dark.
        counts = clean * (rng.uniform(40, 68) / np.median(clean[inside]))
        channels[name] = Volume(np.clip(np.rint(counts - 1), 0, 255).astype(np.uint8), geometry)
    labels = (_labels(grown) > 0).astype(np.uint8) * inside.astype(np.uint8)
    return _case(f"TCGA_XX_{seed:04d}_20000101", channels, labels, geometry, Naming.LGG)


def _patient(
    grid: Grid, lesion: LesionShape, spacing: Spacing, rng: np.random.Generator
) -> tuple[dict[str, FloatArray], Lesion, np.ndarray]:
    """Return tissue fractions, the lesion, and which voxels skull stripping keeps."""
    blur = float(np.mean(spacing))
    shape = BrainShape.random(rng)
    at = places(grid, shape, rng)
    anatomy = brain_anatomy(pushed_aside(at, lesion), grid, shape, blur, rng)
    grown = grow(at, grid, anatomy, lesion, blur, rng)
    return with_lesion(anatomy, grown), grown, anatomy.stripped < 0


def _acquire(
    fractions: Mapping[str, FloatArray], channel: str, scan: Scan, grid: Grid, rng: np.random.Generator
) -> FloatArray:
    """Return one channel in units of white matter's signal: equations, texture, point spread, shading, noise."""
    sequence = _SEQUENCES[channel]
    clean = mr_signal.image(fractions, sequence, scan.tissues, scan.uptake)
    clean /= np.float32(mr_signal.signal(scan.tissues["white"], sequence))
    sick = sum(fractions[name] for name in ("necrosis", "enhancing", "oedema"))
    uneven = scan.texture * (1 + 2 * sick)
    clean *= 1 + uneven * SmoothField.random(rng, 4.5).on(grid) + scan.texture * SmoothField.random(rng, 16.0).on(grid)
    clean = gaussian_filter(np.maximum(clean, 0), scan.softness)
    clean *= np.exp(scan.shading * SmoothField.random(rng, 70.0).on(grid))
    return mr_signal.rician(clean, scan.noise, rng)


def _labels(lesion: Lesion) -> LabelArray:
    """Return program values of `brats2017`, (Z, Y, X): the largest share where the lesion has half."""
    parts = np.stack([lesion.necrosis, lesion.oedema, lesion.enhancing])
    return np.where(parts.sum(0) >= 0.5, parts.argmax(0) + 1, 0).astype(np.uint8)


def _brats_geometry(shape: Shape, spacing: Spacing) -> Geometry:
    """Return the geometry of a file stored as BraTS stores them: left, posterior, superior."""
    affine = np.diag([-spacing[2], -spacing[1], spacing[0], 1.0])
    affine[1, 3] = (shape[1] - 1) * spacing[1]
    return Geometry(shape, spacing, affine)


def _case(id: str, channels: dict[str, Volume], labels: LabelArray, geometry: Geometry, naming: Naming) -> Case:
    scheme = LGG if naming is Naming.LGG else BRATS2017
    expected = LGG_CHANNELS if naming is Naming.LGG else BRATS_CHANNELS
    known = Labels(Volume(labels, geometry), scheme, (scheme,))
    return Case(id, channels, expected, geometry, known, scheme, naming)
