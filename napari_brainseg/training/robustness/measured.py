"""What has been measured already: `robustness.jsonl`, with one line for each case and condition."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from napari_brainseg.base.errors import OutputError
from napari_brainseg.base.paths import write_text

LOG_NAME = "robustness.jsonl"


@dataclass(frozen=True)
class Measurement:
    """How a case did under a condition.

    Attributes:
        case: Its id.
        condition: Name of the condition.
        dice: By region; empty where the condition could not be made of the case.
        changed: Voxels whose label is another than that of the unchanged case, where they should be the same.
        reason: Why the condition was left out; else empty.
    """

    case: str
    condition: str
    dice: Mapping[str, float] = field(default_factory=dict)
    changed: int | None = None
    reason: str = ""


class MeasurementLog:
    """The measurements of one folder, kept as they are made."""

    def __init__(self, folder: Path, job: Mapping[str, Any], *, overwrite: bool = False) -> None:
        """Read what is there of the same job, or begin.

        Args:
            folder: Where the log lies.
            job: All that decides the measurements, as plain values.
            overwrite: Whether measurements of another job are removed.

        Raises:
            OutputError: The folder holds measurements of another job, or cannot be read or written.
        """
        self.path = folder / LOG_NAME
        self._known: dict[tuple[str, str], Measurement] = {}
        lines = self._lines()
        first = _parsed(lines[0]) if lines else None
        if lines and not overwrite and (first is None or first.get("job") != job):
            raise OutputError(
                f"{self.path} holds what was measured of other models, cases or settings. Choose another folder, or "
                "add --overwrite to replace it."
            )
        if first is None or first.get("job") != job:
            write_text(self.path, json.dumps({"job": job}) + "\n")
            return
        for line in lines[1:]:
            facts = _parsed(line)
            if facts is not None and set(facts) == {f.name for f in fields(Measurement)}:
                self._keep(Measurement(**facts))
        # Rewritten, so that a line which a kill has cut off does not swallow the next one.
        write_text(self.path, "".join([json.dumps({"job": job}) + "\n", *map(_line, self._known.values())]))

    def get(self, case: str, condition: str) -> Measurement | None:
        """Return what was measured of a case under a condition."""
        return self._known.get((case, condition))

    def add(self, measurement: Measurement) -> None:
        """Add a line; raise `OutputError` where the folder cannot be written."""
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(_line(measurement))
        except OSError as error:
            raise OutputError(f"{self.path} cannot be written ({error.strerror}). Choose another folder.") from error
        self._keep(measurement)

    def _keep(self, measurement: Measurement) -> None:
        self._known[measurement.case, measurement.condition] = measurement

    def _lines(self) -> list[str]:
        try:
            return self.path.read_text(encoding="utf-8", errors="replace").splitlines()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise OutputError(f"{self.path} cannot be read ({error.strerror}). Choose another folder.") from error


def _line(measurement: Measurement) -> str:
    return json.dumps(asdict(measurement)) + "\n"


def _parsed(line: str) -> dict[str, Any] | None:
    try:
        facts = json.loads(line)
    except ValueError:
        return None
    return facts if isinstance(facts, dict) else None
