"""How far augmentation changes training images, validated. Loads no torch."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from napari_brainseg.base.errors import TrainingError

# The largest value that makes sense; the others end at infinity. A deformation folds where neighbouring control points
# move by more than 0.4 of their distance (Choi & Lee 2000), which is checked apart.
_LARGEST = {
    "rotation": 180.0,
    "shift": 1.0,
    "flip": 1.0,
    "transpose": 1.0,
    "warp": 1.0,
    "through_plane": 1.0,
    "chance": 1.0,
    "drop_channel": 1.0,
    "paste": 1.0,
}
_FOLDS = 0.4


@dataclass(frozen=True)
class AugmentationSettings:
    """How far images are changed; 0 leaves an effect out.

    Every amount is the largest one, and each image draws its own below it. Two-dimensional effects act on the last two
    axes of 3-D patches, whose first axis often has larger voxels; `through_plane` lets them act along it as well.

    Attributes:
        rotation: Angle, degrees.
        scale: Change of size, as a share: from 1 / (1 + scale) to 1 + scale.
        shift: Translation, as a share of the image.
        crop: Share of each extent that is cut away at any place; what is left is enlarged to the whole.
        elastic: Displacement of a smooth deformation, voxels.
        elastic_spacing: Distance of its control points, voxels; at least 2.5 times the displacement, or it would fold.
        warp: Chance that an image is rotated, scaled, shifted, cropped and deformed at all.
        through_plane: Share of all these that acts along the first axis of 3-D patches too; 1 for isotropic voxels.
        flip: Chance of a mirror image along each axis.
        transpose: Chance that the last two axes are exchanged.
        intensity: Change of contrast, as a share, and of brightness, in standard deviations.
        gamma: Change of the exponent of a gamma curve, as a share: from 1 / (1 + gamma) to 1 + gamma.
        bias_field: Natural logarithm of a smooth factor that multiplies all channels of an image.
        noise: Standard deviation of added Gaussian noise.
        blur: Sigma of a Gaussian blur, voxels.
        low_resolution: Loss of resolution, as a share: voxels are averaged over up to 1 + low_resolution of them.
        chance: Chance that an image gets each of `elastic`, `gamma`, `bias_field`, `blur` and `low_resolution`.
        drop_channel: Chance that an image loses each of its channels, one for all or one each; one channel,
            drawn anew for each image, is kept whatever comes. Edges and clusters come behind the channels.
        paste: Chance that a slice gets the tumour of another slice of its batch as well; slices of 2-D networks only.
    """

    rotation: float = 20.0
    scale: float = 0.2
    shift: float = 0.05
    crop: float = 0.0
    elastic: float = 0.0
    elastic_spacing: float = 32.0
    warp: float = 1.0
    through_plane: float = 0.0
    flip: float = 0.5
    transpose: float = 0.0
    intensity: float = 0.2
    gamma: float = 0.0
    bias_field: float = 0.0
    noise: float = 0.1
    blur: float = 0.0
    low_resolution: float = 0.0
    chance: float = 0.3
    drop_channel: float | tuple[float, ...] = 0.0
    paste: float = 0.0

    def __post_init__(self) -> None:
        for name in (field.name for field in fields(self)):
            value = getattr(self, name)
            for number in value if name == "drop_channel" and isinstance(value, tuple) else (value,):
                _check(name, number)
        if self.crop >= 1:
            raise TrainingError(f"augmentation.crop is {self.crop:g}; it must be below 1, or nothing would be left.")
        if self.elastic_spacing < 2 or self.elastic > _FOLDS * self.elastic_spacing:
            raise TrainingError(
                f"augmentation.elastic of {self.elastic:g} voxels would fold the image with control points every "
                f"{self.elastic_spacing:g} voxels; set elastic_spacing to {max(2.0, self.elastic / _FOLDS):g} or more."
            )

    def channel_chances(self, count: int) -> tuple[float, ...]:
        """Return the chance of each of so many channels to be lost; those behind the ones that are told are kept."""
        if not isinstance(self.drop_channel, tuple):
            return (self.drop_channel,) * count
        return (*self.drop_channel, *[0.0] * (count - len(self.drop_channel)))

    @property
    def moves(self) -> bool:
        """Whether any image is warped, beyond mirror images and transposition."""
        amounts = (self.rotation, self.scale, self.shift, self.crop, self.elastic * self.chance)
        return self.warp > 0 and any(amounts)


def _check(name: str, value: object) -> None:
    """Raise `TrainingError` where a value is no number, or not one that makes sense."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise TrainingError(f"augmentation.{name} is {value!r}; it must be a number.")
    most = _LARGEST.get(name, math.inf)
    if not 0 <= value <= most:
        bounds = "0 or more" if most == math.inf else f"from 0 to {most:g}"
        raise TrainingError(f"augmentation.{name} is {value:g}; it must be {bounds}.")
