"""Every loss by its name: finite whatever comes, right for both heads, and able to teach."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from monai.losses import DiceFocalLoss, GeneralizedDiceLoss, HausdorffDTLoss
from torch import Tensor

from napari_brainseg.base.errors import TrainingError
from napari_brainseg.cases.labels import BRATS2017
from napari_brainseg.cases.phantom import make_volume_phantom
from napari_brainseg.inference.decoding import to_targets
from napari_brainseg.networks import create_network
from napari_brainseg.training.loss_terms import LOSSES, Terms, create_loss, needs_frequencies

HEADS = {"regions": ("WT", "TC", "ET"), "classes": ("background", "NCR", "ED", "ET")}
LN3 = math.log(3)


def loss_of(
    terms: Terms | str, logits: Tensor, targets: Tensor, shares: list[float] | None = None, *, softmax: bool
) -> float:
    named = {terms: {}} if isinstance(terms, str) else terms
    frequencies = None if shares is None else torch.tensor(shares)
    return float(create_loss(named, softmax=softmax, frequencies=frequencies)(logits, targets))


def random_batch(outputs: int, *, softmax: bool) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(2, outputs, 6, 7, generator=generator)
    if softmax:
        classes = torch.randint(outputs, (2, 6, 7), generator=generator)
        return logits, torch.nn.functional.one_hot(classes, outputs).movedim(-1, 1).float()
    return logits, torch.rand(2, outputs, 6, 7, generator=generator).round()


def masks(kind: str, *, softmax: bool) -> Tensor:
    """Return targets (2, 4, 8, 8): nothing, everything, or a square in one of two samples."""
    classes = torch.zeros(2, 8, 8, dtype=torch.long)
    if kind == "full":
        classes[:] = 2
    elif kind == "square":
        classes[0, 2:5, 3:7] = 1
        classes[0, 3, 4] = 3
    if softmax:
        return torch.nn.functional.one_hot(classes, 4).movedim(-1, 1).float()
    return torch.stack([classes >= least for least in (1, 1, 2, 3)], 1).float()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("softmax", [False, True])
@pytest.mark.parametrize("kind", ["empty", "square", "full"])
@pytest.mark.parametrize("name", list(LOSSES))
def test_value_and_gradient_are_finite(name: str, kind: str, softmax: bool, dtype: torch.dtype) -> None:
    targets = masks(kind, softmax=softmax)
    right = (targets * 2 - 1) * 80
    frequencies = torch.tensor([0.0, 1.0, 0.5, 1e-9])
    loss = create_loss({name: {}}, softmax=softmax, frequencies=frequencies)
    noise = torch.randn(targets.shape, generator=torch.Generator().manual_seed(1))
    for made in (right, -right, right * 0, right * 0 + 80, right * 0 - 80, noise, right / 8 + noise):
        logits = made.to(dtype).requires_grad_()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=dtype != torch.float32):
            value = loss(logits, targets)
        value.backward()
        assert value.dtype == torch.float32
        assert value.isfinite()
        assert value >= -1e-6
        assert logits.grad is not None
        assert logits.grad.isfinite().all()


@pytest.mark.parametrize("softmax", [False, True])
@pytest.mark.parametrize("name", list(LOSSES))
def test_the_truth_costs_less_than_chance_and_that_less_than_its_opposite(name: str, softmax: bool) -> None:
    targets = masks("square", softmax=softmax)
    shares = targets.mean((0, 2, 3)).tolist()
    truth = (targets * 2 - 1) * 20
    right, even, wrong = (loss_of(name, x, targets, shares, softmax=softmax) for x in (truth, truth * 0, -truth))
    # -ln p is kept 1e-6 from 0, the third root of which counts four times for the rarest class.
    assert right < (0.05 if name == "exponential_logarithmic" else 1e-4)
    assert right < even < wrong


@pytest.mark.parametrize(
    "name", [n for n in LOSSES if n not in ("generalised_dice", "hausdorff_dt", "soft_dice", "tversky")]
)
@pytest.mark.parametrize("softmax", [False, True])
def test_a_prediction_that_is_surely_wrong_still_has_a_gradient(name: str, softmax: bool) -> None:
    targets = masks("square", softmax=softmax)
    logits = ((1 - targets * 2) * 40).requires_grad_()
    create_loss({name: {}}, softmax=softmax, frequencies=torch.full((4,), 0.25))(logits, targets).backward()
    assert logits.grad is not None
    assert (logits.grad[targets == 1] < 0).all()


def test_terms_of_regions_by_hand() -> None:
    logits, targets = torch.tensor([[[[LN3, -LN3]]]]), torch.tensor([[[[1.0, 0.0]]]])
    entropy, dice = -math.log(0.75), 1 - (2 * 0.75 + 1) / 3

    def value(terms: Terms | str, shares: list[float] | None = None) -> float:
        return loss_of(terms, logits, targets, shares, softmax=False)

    assert value("bce") == pytest.approx(entropy)
    assert value("cross_entropy") == pytest.approx(entropy)
    assert value("bce_dice") == pytest.approx(entropy + dice)
    weighted = {"bce_dice": {"bce": 0.5, "dice": 2, "reduce": "sample", "smooth": 0}}
    assert value(weighted) == pytest.approx(0.5 * entropy + 2 * 0.25)
    assert value("soft_dice") == pytest.approx(dice)
    assert value("inverse_dice_bce") == pytest.approx(entropy + dice)  # this pair is its own mirror image
    assert value("dice_focal") == pytest.approx(dice + 0.25**2 * entropy)
    assert value({"dice_focal": {"gamma": 0, "focal": 3}}) == pytest.approx(dice + 3 * entropy)
    assert value("weighted_cross_entropy", [0.2]) == pytest.approx(entropy * (0.8 / 0.2 + 1) / 2)
    assert value({"weighted_cross_entropy": {"most": 2}}, [0.2]) == pytest.approx(entropy * (2 + 1) / 2)
    assert value("switching") == pytest.approx(entropy + dice)
    assert value({"tversky": {"alpha": 0.5, "beta": 0.5}}) == pytest.approx(1 - 1.75 / 2)


def test_terms_of_classes_by_hand() -> None:
    # p = (1/2, 1/4, 1/4) where the truth is the background, (1/4, 1/4, 1/2) where it is the last class.
    logits = torch.tensor([[[[math.log(2), 0.0]], [[0.0, 0.0]], [[0.0, math.log(2)]]]])
    targets = torch.tensor([[[[1.0, 0.0]], [[0.0, 0.0]], [[0.0, 1.0]]]])
    entropy = -(2 * math.log(0.5) + 4 * math.log(0.75)) / 6
    dice = 1 - (1 / 1.5 + 2 / 2.75) / 2
    inverse = 1 - ((2 * 1.5 + 1) / (1.5 + 2 + 1) + (2 * 0.75 + 1) / (1.25 + 1 + 1)) / 2

    def value(terms: Terms | str, shares: list[float] | None = None) -> float:
        return loss_of(terms, logits, targets, shares, softmax=True)

    assert value("bce") == pytest.approx(entropy)
    assert value("bce_dice") == pytest.approx(entropy + dice)
    assert value("soft_dice") == pytest.approx(dice)
    assert value("inverse_dice_bce") == pytest.approx(entropy + inverse)
    assert value("dice_focal") == pytest.approx(dice + 0.25 * math.log(2))
    assert value("cross_entropy") == pytest.approx(math.log(2))
    # Both voxels cost ln 2, so that no weight shows; half of the cost of one makes it show.
    uneven, shares = logits * torch.tensor([1.0, 0.0]), [0.5, 0.25, 0.25]
    weighted = loss_of("weighted_cross_entropy", uneven, targets, shares, softmax=True)
    assert weighted == pytest.approx((math.log(2) + 2 * math.log(3)) / 3)
    foreground = -(math.log(0.75) * 3 + math.log(0.5)) / 4
    assert value({"switching": {"threshold": 0.51}}) == pytest.approx(foreground + 0.75 * dice + 0.25 * inverse)
    assert value({"switching": {"threshold": 0.5}}) == pytest.approx(foreground + 0.25 * dice + 0.75 * inverse)
    assert value({"tversky": {"alpha": 0.5, "beta": 0.5}}) == pytest.approx(1 - (1 / 1.25 + 1.5 / 1.875) / 2)


def test_dice_focal_is_that_of_monai_for_regions() -> None:
    logits, targets = random_batch(3, softmax=False)
    peer = DiceFocalLoss(sigmoid=True, smooth_nr=1.0, smooth_dr=1.0, batch=True, gamma=1.5, lambda_focal=0.7)
    ours = loss_of({"dice_focal": {"gamma": 1.5, "focal": 0.7}}, logits, targets, softmax=False)
    assert ours == pytest.approx(float(peer(logits, targets)), rel=1e-5)


def test_generalised_dice_and_hausdorff_are_those_of_monai() -> None:
    logits, targets = random_batch(3, softmax=False)
    peer = GeneralizedDiceLoss(sigmoid=True, batch=True)
    assert loss_of("generalised_dice", logits, targets, softmax=False) == pytest.approx(float(peer(logits, targets)))
    distance = HausdorffDTLoss(sigmoid=True, include_background=True)
    assert loss_of("hausdorff_dt", logits, targets, softmax=False) == pytest.approx(float(distance(logits, targets)))
    logits, targets = random_batch(3, softmax=True)
    peer = GeneralizedDiceLoss(softmax=True, batch=True)
    assert loss_of("generalised_dice", logits, targets, softmax=True) == pytest.approx(float(peer(logits, targets)))
    distance = HausdorffDTLoss(softmax=True, alpha=1.0)
    ours = loss_of({"hausdorff_dt": {"alpha": 1}}, logits, targets, softmax=True)
    assert ours == pytest.approx(float(distance(logits, targets)))


def test_a_generalised_dice_by_hand() -> None:
    # Weights 1 / volume squared: 1 / 9 for the background's three voxels, 1 for the one inside; p = 1/2 everywhere.
    targets = torch.tensor([[[[1.0, 1.0, 1.0, 0.0]], [[0.0, 0.0, 0.0, 1.0]]]])
    expected = 1 - 2 * (1.5 / 9 + 0.5) / ((2 + 3) / 9 + (2 + 1))
    ours = loss_of("generalised_dice", torch.zeros(1, 2, 1, 4), targets, softmax=True)
    assert ours == pytest.approx(expected, abs=1e-4)


def test_a_hausdorff_loss_by_hand() -> None:
    # Truth is the first of three voxels, predicted is the last: distances to the other side (1, 1, 2) and (2, 1, 1).
    targets = torch.tensor([[[[1.0, 0.0, 0.0]]]])
    logits = torch.tensor([[[[-LN3, -LN3, LN3]]]])
    errors = (0.75**2, 0.25**2, 0.75**2)
    expected = sum(e * (a**2 + b**2) for e, a, b in zip(errors, (1, 1, 2), (2, 1, 1), strict=True)) / 3
    assert loss_of("hausdorff_dt", logits, targets, softmax=False) == pytest.approx(expected)


def test_a_sum_is_weighted() -> None:
    logits, targets = random_batch(2, softmax=False)
    parts = {name: loss_of(name, logits, targets, softmax=False) for name in ("bce", "soft_dice", "tversky")}
    terms: dict[str, dict[str, Any]] = {"bce": {"weight": 0.5}, "soft_dice": {}, "tversky": {"weight": 2}}
    expected = 0.5 * parts["bce"] + parts["soft_dice"] + 2 * parts["tversky"]
    assert loss_of(terms, logits, targets, softmax=False) == pytest.approx(expected)


def test_losses_take_volumes() -> None:
    generator = torch.Generator().manual_seed(1)
    logits, targets = torch.randn(1, 2, 4, 5, 6, generator=generator), torch.zeros(1, 2, 4, 5, 6)
    targets[:, :, 1:3, 2:4, 2:4] = 1
    for name in LOSSES:
        volume = loss_of(name, logits, targets, [0.1, 0.2], softmax=False)
        if name != "hausdorff_dt":  # distances know the axes, the others only count
            flat = loss_of(name, logits.flatten(3), targets.flatten(3), [0.1, 0.2], softmax=False)
            assert volume == pytest.approx(flat, rel=1e-5)


def test_losses_that_weigh_by_the_data_say_so() -> None:
    assert {name for name in LOSSES if needs_frequencies({name: {}})} == {
        "weighted_cross_entropy",
        "exponential_logarithmic",
    }
    logits, targets = random_batch(2, softmax=False)
    with pytest.raises(TrainingError, match="which is not known here"):
        loss_of("weighted_cross_entropy", logits, targets, softmax=False)


@pytest.mark.parametrize(
    ("terms", "told"),
    [
        ({}, r"No loss is named\. There are bce, bce_dice"),
        ({"bce_dise": {}}, r"no loss 'bce_dise'\. Did you mean 'bce_dice'"),
        ({"bce": {"gamma": 1}}, r"'bce' has no option 'gamma'; it takes weight\."),
        ({"bce": {"weight": "half"}}, r"weight of the loss 'bce' is 'half'; it must be a number"),
        ({"tversky": {"alpha": -1}}, r"alpha of the loss 'tversky' is -1; it must be a number, 0 or more"),
        ({"bce_dice": {"reduce": "mean"}}, r"reduce of the loss 'bce_dice' is 'mean'; it must be batch or sample"),
        ({"switching": {"small_first": 1}}, r"small_first of the loss 'switching' is 1; it must be true or false"),
    ],
)
def test_wrong_terms_are_told(terms: Terms, told: str) -> None:
    with pytest.raises(TrainingError, match=told):
        create_loss(terms, softmax=False)


@pytest.fixture(scope="module")
def phantom() -> tuple[Tensor, Tensor]:
    """Return four cuts about a tumour, images (4, 4, 32, 32) of mean 0 and deviation 1, and their labels."""
    case = make_volume_phantom(1, (12, 96, 96), (11.0, 2.0, 2.0))
    labels = torch.from_numpy(np.asarray(case.labels.volume.data, np.uint8))  # type: ignore[union-attr]
    images = torch.stack([torch.from_numpy(np.asarray(v.data, np.float32)) for v in case.channels.values()], 1)
    images = (images - images.mean((0, 2, 3), keepdim=True)) / images.std((0, 2, 3), keepdim=True)
    largest = labels.flatten(1).ne(0).sum(1).argsort(descending=True)[:4]
    y, x = (int(place) - 16 for place in labels[largest].nonzero().float().mean(0)[1:].round())
    return images[largest, :, y : y + 32, x : x + 32], labels[largest, y : y + 32, x : x + 32]


@pytest.mark.parametrize("head", list(HEADS))
@pytest.mark.parametrize("name", list(LOSSES))
def test_every_loss_overfits_one_phantom_batch(name: str, head: str, phantom: tuple[Tensor, Tensor]) -> None:
    images, outputs = phantom[0], HEADS[head]
    targets = to_targets(phantom[1], outputs, BRATS2017)
    loss = create_loss({name: {}}, softmax=head == "classes", frequencies=targets.mean((0, 2, 3)))
    torch.manual_seed(1)
    network = create_network("unext", in_channels=4, out_channels=len(outputs), widths=(8, 16, 20, 24, 32))
    optimizer = torch.optim.Adam(network.parameters(), 3e-2)
    values = []
    for _ in range(31):
        value = loss(network(images), targets)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        values.append(value.item())
    assert values[-1] < 0.7 * values[0]
