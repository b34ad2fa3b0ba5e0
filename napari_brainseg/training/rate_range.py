"""The learning-rate range test: the rate rises, and the curve of the loss is drawn (Smith 2017, arXiv:1506.01186)."""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from matplotlib.figure import Figure

from napari_brainseg.base.paths import write_text, written_aside
from napari_brainseg.base.progress import CancelToken, Progress
from napari_brainseg.training.loop import compute_loss, draw, seeds
from napari_brainseg.training.schedules import create_optimizer
from napari_brainseg.training.session import first_network, open_session
from napari_brainseg.training.settings import TrainingSettings

_SMOOTHING = 0.8


@dataclass(frozen=True)
class RatePoint:
    """One step: the rate it was made with, and the smoothed loss before it."""

    rate: float
    loss: float


def find_rate(
    settings: TrainingSettings,
    token: CancelToken | None = None,
    *,
    lowest: float = 1e-6,
    highest: float = 1.0,
    steps: int = 100,
) -> Generator[Progress, None, list[RatePoint]]:
    """Make steps with a rate that rises from `lowest` to `highest` by a constant factor; return the curve.

    It ends early where the smoothed loss is no longer finite or four times its least. Nothing is kept of the weights.
    """
    session = yield from open_session(settings)
    network = first_network(session).train()
    optimizer = create_optimizer(
        settings.optimizer, network.parameters(), lowest, settings.weight_decay, **settings.optimizer_options
    )
    wrapped, fast = session.fabric.setup(network, optimizer)
    points: list[RatePoint] = []
    smoothed = 0.0
    factor = (highest / lowest) ** (1 / max(1, steps - 1))
    for epoch in count():
        order, chance = seeds(settings, epoch, session.fabric.global_rank)
        batches = session.data.batches(settings.batch, settings.empty_share, settings.oversample, order)
        for batch in batches:
            if token is not None:
                token.raise_if_cancelled()
            rate = lowest * factor ** len(points)
            for group in optimizer.param_groups:
                group["lr"] = rate
            images, targets = draw(session, session.share(batch), chance)
            loss = compute_loss(session, wrapped(images), targets)
            value = float(loss.detach())
            smoothed = _SMOOTHING * smoothed + (1 - _SMOOTHING) * value
            points.append(RatePoint(rate, smoothed / (1 - _SMOOTHING ** (len(points) + 1))))
            yield Progress(len(points), steps, f"rate {rate:.1e}, loss {value:.4f}")
            least = min(p.loss for p in points)
            if len(points) >= steps or not math.isfinite(value) or points[-1].loss > 4 * least:
                return points
            fast.zero_grad()
            session.fabric.backward(loss)
            fast.step()
    return points


def steepest(points: list[RatePoint]) -> float:
    """Return the rate at which the loss falls fastest, a good first choice for the highest rate of a schedule.

    Falls are measured over a tenth of the curve, so that a loss that bounces where the rate is too high does not count.
    """
    reach = max(2, len(points) // 10)
    slopes = [
        (later.loss - earlier.loss, points[start + (reach - 1) // 2].rate)
        for start, (earlier, later) in enumerate(zip(points, points[reach:], strict=False))
        if math.isfinite(later.loss)
    ]
    return min(slopes)[1] if slopes else points[0].rate


def write_curve(points: list[RatePoint], folder: Path) -> Path:
    """Write `rate-range.csv` and the drawn curve `rate-range.png`; return the picture's path."""
    rows = "".join(f"{p.rate:.6g},{p.loss:.6g}\n" for p in points)
    write_text(folder / "rate-range.csv", "rate,loss\n" + rows)
    figure = Figure(figsize=(6, 4))
    axes = figure.subplots()
    axes.semilogx([p.rate for p in points], [p.loss for p in points])
    axes.axvline(steepest(points), linestyle="--", color="grey")
    axes.set(xlabel="learning rate", ylabel="smoothed loss", title=f"steepest at {steepest(points):.1e}")
    path = folder / "rate-range.png"
    with written_aside(path, overwrite=True) as aside:
        figure.savefig(aside, format="png", dpi=100, bbox_inches="tight")
    return path
