"""MR signal: what a tissue with given relaxation times looks like in a given pulse sequence.

Times are in ms, proton densities relative to water. Tissue values hold for 1.5 T:

- cerebrospinal fluid, grey and white matter, fat and muscle: the tissue table of the BrainWeb simulator (Kwan, Evans,
  Pike, IEEE Trans Med Imaging 18:1085, 1999);
- blood: T1 from Sharma et al., J Magn Reson Imaging 23:323, 2006;
- tumour tissue: relaxation times of gliomas overlap widely (Newman et al., Eur Radiol 3:49, 1993), so these are
  representative values above the T1 of 850 ms from which white matter counts as oedematous;
- contrast agent: r1 of gadobutrol in plasma, Szomolanyi et al., Invest Radiol 54:559, 2019; r2 is taken as 1.2 r1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]

R1_GADOBUTROL = 4.78  # L / (mmol s)
R2_GADOBUTROL = 1.2 * R1_GADOBUTROL


@dataclass(frozen=True)
class Tissue:
    """Relaxation times in ms and proton density of one tissue; `flowing` for blood that moves on between pulses."""

    t1: float
    t2: float
    density: float
    flowing: bool = False


@dataclass(frozen=True)
class Sequence:
    """One spin-echo sequence.

    Attributes:
        repetition: TR in ms.
        echo: TE in ms.
        inversion: TI in ms of the inversion pulse before it, or None without one.
        agent: Whether it is run after contrast agent.
        flow_kept: The share of its signal that flowing blood keeps.
    """

    repetition: float
    echo: float
    inversion: float | None = None
    agent: bool = False
    flow_kept: float = 0.35


TISSUES: dict[str, Tissue] = {
    "csf": Tissue(2569, 329, 1.0),
    "grey": Tissue(833, 83, 0.86),
    "white": Tissue(500, 70, 0.77),
    "fat": Tissue(350, 70, 1.0),
    "muscle": Tissue(900, 47, 1.0),
    "bone": Tissue(500, 20, 0.06),
    "blood": Tissue(1580, 180, 0.9, flowing=True),
    "necrosis": Tissue(1700, 210, 0.93),
    "enhancing": Tissue(1150, 115, 0.87),
    "oedema": Tissue(1050, 135, 0.86),
}

# mmol of agent per litre of tissue some minutes after the injection.
UPTAKE: dict[str, float] = {
    "enhancing": 0.75,
    "blood": 1.6,
    "muscle": 0.12,
    "fat": 0.02,
    "necrosis": 0.05,
    "oedema": 0.02,
}


def with_agent(tissue: Tissue, millimolar: float) -> Tissue:
    """Return the tissue with relaxation quickened by contrast agent: 1/T becomes 1/T + r C."""
    return replace(
        tissue,
        t1=1 / (1 / tissue.t1 + R1_GADOBUTROL * millimolar / 1000),
        t2=1 / (1 / tissue.t2 + R2_GADOBUTROL * millimolar / 1000),
    )


def nulling_inversion(t1: float, repetition: float) -> float:
    """Return the TI at which a tissue of this `t1` gives no signal, in ms."""
    return float(t1 * np.log(2 / (1 + np.exp(-repetition / t1))))


def signal(tissue: Tissue, sequence: Sequence) -> float:
    """Return the magnitude of the signal of `tissue` in `sequence`.

    Spin echo: PD (1 - exp(-TR/T1)) exp(-TE/T2).
    With an inversion pulse: PD |1 - 2 exp(-TI/T1) + exp(-TR/T1)| exp(-TE/T2).
    """
    recovered = 1 - np.exp(-sequence.repetition / tissue.t1)
    if sequence.inversion is not None:
        recovered = abs(1 - 2 * np.exp(-sequence.inversion / tissue.t1) + np.exp(-sequence.repetition / tissue.t1))
    kept = sequence.flow_kept if tissue.flowing else 1.0
    return float(kept * tissue.density * recovered * np.exp(-sequence.echo / tissue.t2))


T1 = Sequence(repetition=500, echo=14)
T1CE = replace(T1, agent=True, flow_kept=0.9)
T2 = Sequence(repetition=4000, echo=100)
FLAIR = Sequence(repetition=9000, echo=120, inversion=nulling_inversion(TISSUES["csf"].t1, 9000))


def image(
    fractions: Mapping[str, FloatArray], sequence: Sequence, tissues: Mapping[str, Tissue], uptake: Mapping[str, float]
) -> FloatArray:
    """Return the noiseless image of voxels that hold `fractions` of the named tissues; arrays of one shape, 0 to 1."""
    total = np.zeros(next(iter(fractions.values())).shape, np.float32)
    for name, fraction in fractions.items():
        tissue = tissues[name]
        if sequence.agent:
            tissue = with_agent(tissue, uptake.get(name, 0.0))
        total += np.float32(signal(tissue, sequence)) * fraction
    return total


def rician(clean: FloatArray, sigma: float, rng: np.random.Generator) -> FloatArray:
    """Return the magnitude of `clean` with Gaussian noise of `sigma` in the real and imaginary channel."""
    noise = rng.standard_normal((2, *clean.shape), dtype=np.float32) * np.float32(sigma)
    return np.asarray(np.hypot(clean + noise[0], noise[1]))
