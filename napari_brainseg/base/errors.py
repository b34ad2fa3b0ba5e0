"""The errors a person is meant to read: one sentence that says what is wrong, in which file, and what to do next."""

from __future__ import annotations


class BrainsegError(Exception):
    """Base of every error whose text is written for the person at the screen."""


class InputError(BrainsegError):
    """A file or folder that cannot be used as it is."""


class AlignmentError(InputError):
    """Volumes of one case that do not lie on one grid."""


class LabelError(BrainsegError):
    """Labels with values outside their scheme, or a scheme that cannot hold a class."""


class OutputError(BrainsegError):
    """A place that cannot be written, or a file that must not be replaced."""


class ModelError(BrainsegError):
    """A model folder or a model's computation that failed."""


class TrainingError(BrainsegError):
    """A training or fine-tuning that cannot start or cannot go on."""


class MissingExtraError(BrainsegError):
    """A feature whose optional packages are not installed."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f'{package} is not installed. Run: pip install "napari-brainseg[{extra}]"')


class Cancelled(BrainsegError):  # noqa: N818 - it is no error, it only travels like one
    """A person pressed Cancel; not a failure."""

    def __init__(self) -> None:
        super().__init__("Cancelled.")
