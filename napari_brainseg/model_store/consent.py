"""What a person has allowed to run on this computer: kept with the user's own data, never with a model. No torch.

A models folder may be somebody else's, on a share or in a project that was passed on. What its `model.json` names is
run only after this user said so, and no longer once anything of it has changed.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from napari_brainseg.base.errors import ModelError
from napari_brainseg.base.paths import user_data, write_text
from napari_brainseg.model_store.external import BUNDLE, External
from napari_brainseg.model_store.store import ModelRecord

ALLOWED_FILE = "allowed_models.json"


def is_allowed(external: External) -> bool:
    """Return whether this user has allowed to run exactly this."""
    return external.identity in _allowed()


def allow(record: ModelRecord) -> None:
    """Write down that this user allows to run an external model; raise `OutputError` where that cannot be written."""
    if record.external is None:
        raise ModelError(f"{record.display_name} runs no code of others, so there is nothing to allow.")
    moment = datetime.now(UTC).isoformat(timespec="seconds")
    told = {"name": record.name, "path": str(record.external.path), "date": moment}
    allowed = {**_allowed(), record.external.identity: told}
    write_text(user_data() / ALLOWED_FILE, json.dumps(allowed, indent=1) + "\n")


def require_allowed(record: ModelRecord) -> None:
    """Raise `ModelError` that says what to do where this user has not allowed to run an external model."""
    if record.external is not None and not is_allowed(record.external):
        raise ModelError(
            f"{record.name} runs programs outside of this one, which you have not allowed yet. See what it runs with "
            f"brainseg models allow {record.name}."
        )


def what_runs(external: External) -> str:
    """Return in one or two sentences what running a model means."""
    runs = f"{external.python} ({external.package or 'unknown version'}) would run"
    if external.kind == BUNDLE:
        count = sum(name.endswith(".py") for name in external.digests)
        more = f" and {count} Python files of it" if count else ""
        return f"{runs} the bundle {external.path}: the code in {external.config}{more}, with all your rights."
    if external.runs_code:
        return f"{runs} nnU-Net on {external.path}, and code that the checkpoints there hold, with all your rights."
    return f"{runs} nnU-Net on {external.path}. Of the checkpoints there only weights are loaded, which runs no code."


def _allowed() -> dict[str, Any]:
    """Return what is allowed; a file that cannot be read allows nothing."""
    try:
        found = json.loads((user_data() / ALLOWED_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
