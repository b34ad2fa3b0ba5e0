from __future__ import annotations

import math

import numpy as np
import pytest

from napari_brainseg.cases.mr_signal import (
    FLAIR,
    T1,
    T1CE,
    T2,
    TISSUES,
    UPTAKE,
    Sequence,
    Tissue,
    image,
    nulling_inversion,
    rician,
    signal,
    with_agent,
)


def test_spin_echo_equation():
    tissue = Tissue(t1=1000 / math.log(2), t2=100 / math.log(4), density=0.8)
    # TR of one half-life of T1 recovers one half; TE of two half-lives of T2 leaves a quarter.
    assert signal(tissue, Sequence(repetition=1000, echo=100)) == pytest.approx(0.8 * 0.5 * 0.25)


def test_inversion_recovery_equation():
    tissue = Tissue(t1=1000 / math.log(2), t2=1e9, density=1.0)
    # After one half-life the inverted magnetisation is at 0, after two at one half; TR adds exp(-TR/T1).
    assert signal(tissue, Sequence(1e9, 0, inversion=1000)) == pytest.approx(0.0, abs=1e-12)
    assert signal(tissue, Sequence(1e9, 0, inversion=2000)) == pytest.approx(0.5)
    assert signal(tissue, Sequence(3000, 0, inversion=2000)) == pytest.approx(0.625)


def test_signal_is_a_magnitude():
    tissue = Tissue(t1=1000, t2=1e9, density=1.0)
    assert signal(tissue, Sequence(1e9, 0, inversion=1e-9)) == pytest.approx(1.0)


@pytest.mark.parametrize("t1", [500.0, 2569.0])
def test_nulling_inversion_nulls(t1):
    null = Sequence(9000, 120, inversion=nulling_inversion(t1, 9000))
    assert signal(Tissue(t1, 100, 1.0), null) == pytest.approx(0.0, abs=1e-9)


def test_agent_adds_relaxation_rates():
    enhanced = with_agent(Tissue(t1=1000, t2=100, density=1.0), 1.0)
    assert 1000 / enhanced.t1 == pytest.approx(1.0 + 4.78)
    assert 1000 / enhanced.t2 == pytest.approx(10.0 + 1.2 * 4.78)


def test_contrasts_are_those_of_the_clinic():
    def seen(sequence):
        return {
            name: signal(with_agent(t, UPTAKE.get(name, 0)) if sequence.agent else t, sequence)
            for name, t in TISSUES.items()
        }

    t1, t1ce, t2, flair = seen(T1), seen(T1CE), seen(T2), seen(FLAIR)
    assert t1["fat"] > t1["white"] > t1["grey"] > t1["csf"]
    assert t2["csf"] > t2["oedema"] > t2["grey"] > t2["white"]
    assert flair["oedema"] > flair["grey"] > flair["white"] > 10 * flair["csf"]
    assert t1ce["enhancing"] > 1.3 * t1ce["white"]
    assert t1["enhancing"] < t1["white"]
    assert t1ce["blood"] > t1ce["white"] > t1["blood"]


def test_image_mixes_by_share():
    half = np.full((1, 1, 1), 0.5, np.float32)
    mixed = image({"grey": half, "white": half}, T2, TISSUES, {})
    assert mixed.item() == pytest.approx((signal(TISSUES["grey"], T2) + signal(TISSUES["white"], T2)) / 2, rel=1e-6)


def test_noise_without_signal_is_rayleigh():
    noise = rician(np.zeros(200_000, np.float32), 2.0, np.random.default_rng(0))
    assert noise.min() >= 0
    assert noise.mean() == pytest.approx(2 * math.sqrt(math.pi / 2), rel=0.01)
    assert (noise**2).mean() == pytest.approx(2 * 2.0**2, rel=0.01)
