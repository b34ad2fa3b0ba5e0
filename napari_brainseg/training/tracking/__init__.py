"""What a run writes down of itself while it goes on."""

from napari_brainseg.training.tracking.measurements import gradient_histograms, gradient_norms, system_usage
from napari_brainseg.training.tracking.pictures import validation_pictures
from napari_brainseg.training.tracking.tracker import Tracker
from napari_brainseg.training.tracking.trackers import check_trackers, create_trackers, learning_curves

__all__ = [
    "Tracker",
    "check_trackers",
    "create_trackers",
    "gradient_histograms",
    "gradient_norms",
    "learning_curves",
    "system_usage",
    "validation_pictures",
]
