import pytest

from napari_brainseg.plugin.widgets.finetune_form import FinetuneForm
from napari_brainseg.training.finetune_settings import LAYERS, FinetuneSettings


@pytest.fixture
def form(qtbot):
    made = FinetuneForm()
    qtbot.addWidget(made)
    return made


def test_begins_with_the_defaults(form):
    assert form.settings == FinetuneSettings()


def test_every_field_counts(form):
    form.steps.setValue(12)
    form.rate.setCurrentText("gentle, 0.0001")
    form.layers.setCurrentText("decoder only")
    form.replay.setValue(0)
    form.keep.setValue(50)
    form.seed.setValue(7)
    form.hold_out.setChecked(False)

    assert form.settings == FinetuneSettings(
        steps=12, rate=1e-4, layers="decoder", replay=0.0, keep=0.5, seed=7, hold_out=False
    )


def test_all_choices_of_layers_are_offered(form):
    assert tuple(form.layers.itemData(index) for index in range(form.layers.count())) == LAYERS
