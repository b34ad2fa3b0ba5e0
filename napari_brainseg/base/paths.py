"""Where things live: shipped folders, the user's folders, and files written aside and renamed."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from platformdirs import user_data_path

from napari_brainseg.base.errors import OutputError

_PACKAGE = Path(__file__).resolve().parent.parent


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


# The mask can only be read by setting it, for the whole process: once, before there are threads that make files.
_UMASK = _umask()


def _shipped(name: str) -> Path:
    # In a wheel the folder lies inside the package, in a checkout beside it. An editable install leaves a stale copy in
    # site-packages, so nothing but this file's own place is asked.
    inside = _PACKAGE / name
    return inside if inside.is_dir() else _PACKAGE.parent / name


def shipped_models() -> Path:
    """Return the folder of the models that come with the program."""
    return _shipped("models")


def sample_data() -> Path:
    """Return the folder of the synthetic sample cases that come with the program."""
    return _shipped("sample_data")


def user_data() -> Path:
    """Return the user's own data folder (`BRAINSEG_HOME` overrides it); it may not exist yet."""
    override = os.environ.get("BRAINSEG_HOME")
    return Path(override) if override else user_data_path("napari-brainseg", appauthor=False)


def default_project() -> Path:
    """Return the project folder that is used until the user chooses another."""
    return user_data() / "project"


@contextmanager
def written_aside(path: Path, *, overwrite: bool) -> Iterator[Path]:
    """Yield a temporary path beside `path` that becomes `path` when the block ends well, and vanishes otherwise.

    The temporary name keeps the suffixes of `path`, because readers and writers choose their format by them.

    Raises:
        OutputError: `path` exists and `overwrite` is false, or its folder cannot be written.
    """
    if path.exists() and not overwrite:
        raise OutputError(f"{path} exists. Choose another name, or allow it to be replaced.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".writing-", suffix=f"-{path.name}", dir=path.parent)
        os.close(handle)
    except OSError as error:
        raise OutputError(f"{path.parent} cannot be written ({error.strerror}). Choose another folder.") from error
    aside = Path(name)
    try:
        # mkstemp makes files for their owner alone; what is written here follows the user's own rule.
        os.chmod(aside, 0o666 & ~_UMASK)
        yield aside
        os.replace(aside, path)
    except OSError as error:
        raise OutputError(f"{path} could not be written ({error.strerror or error}). Choose another place.") from error
    finally:
        aside.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a small text file aside and rename it, replacing an older one."""
    with written_aside(path, overwrite=True) as aside:
        aside.write_text(text, encoding="utf-8")


def refuse_unwritable(folder: Path) -> None:
    """Raise `OutputError` where a folder, or the one that it will be made in, cannot be written; leave nothing there.

    For long work, so that it is said at the beginning.
    """
    there = next(place for place in (folder.absolute(), *folder.absolute().parents) if place.exists())
    reason = why_not_writable(there)
    if reason is not None:
        raise OutputError(reason)


def why_not_writable(folder: Path) -> str | None:
    """Return why `folder` cannot hold files, found by really writing one, or None when it can."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".write-test-") as file:
            file.write(b"x" * 4096)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return f"{folder} cannot be written ({error.strerror or error}). Choose another place to save."
    return None
