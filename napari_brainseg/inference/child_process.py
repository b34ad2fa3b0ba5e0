"""A program of another environment as a child process: it tells how far it is, and is ended with its own children.

It sends JSON lines on its standard output: `{"doing": …, "done": …, "total": …}`, `{"error": …}` or
`{"finished": true}`. Its standard input is held open: where that ends, this process is gone, and so should it be.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Generator, Sequence
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import IO, Any

import psutil

from napari_brainseg.base.errors import ModelError
from napari_brainseg.base.progress import CancelToken, Progress

_POLL = 0.1  # seconds after which a wait looks whether it was cancelled
_PATIENCE = 3.0  # seconds from asking a program to end to ending it
_LONGEST_LINE = 1 << 16
_TAIL = 1 << 14  # bytes of a log in which its last line is looked for


def run_child(
    arguments: Sequence[str | Path], folder: Path, log: Path, token: CancelToken
) -> Generator[Progress, None, None]:
    """Run a program to its end and yield what it tells; however this ends, it and its children have ended too.

    Args:
        arguments: The program and what it gets.
        folder: Where it runs and puts its temporary files.
        log: Where its standard error goes.
        token: Cancelling it ends the program.

    Raises:
        ModelError: It cannot be started, says what is wrong, ends early, or sends what is not understood.
        Cancelled: The token was cancelled.
    """
    process = _started(arguments, folder, log)
    told: SimpleQueue[bytes] = SimpleQueue()
    assert process.stdout is not None
    threading.Thread(target=_read, args=(process.stdout, told), daemon=True).start()
    report = Progress(0, 0, "starting its environment")
    finished = False
    try:
        while not finished:
            yield report  # again and again while nothing is told, so that a cancel takes effect
            token.raise_if_cancelled()
            with suppress(Empty):
                line = told.get(timeout=_POLL)
                facts = _facts(line, process, log)
                report, finished = _progress(facts, report), bool(facts.get("finished"))
        process.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        pass  # it has given its result: what it still does is ended
    finally:
        _end(process)
        process.stdout.close()


def _started(arguments: Sequence[str | Path], folder: Path, log: Path) -> subprocess.Popen[bytes]:
    options: dict[str, Any] = {"start_new_session": True}
    if sys.platform == "win32":
        options = {"creationflags": subprocess.CREATE_NO_WINDOW}
    temporary = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(folder))
    try:
        with log.open("wb") as errors:
            return subprocess.Popen(
                list(map(str, arguments)),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                cwd=folder,
                env={**os.environ, **temporary},
                **options,
            )
    except OSError as error:
        raise ModelError(
            f"{arguments[0]} cannot be run ({error.strerror or error}). Add the model again with another Python."
        ) from error


def _read(stream: IO[bytes], told: SimpleQueue[bytes]) -> None:
    with suppress(ValueError, OSError):  # closed meanwhile
        while line := stream.readline(_LONGEST_LINE):
            told.put(line)
    told.put(b"")


def _facts(line: bytes, process: subprocess.Popen[bytes], log: Path) -> dict[str, Any]:
    """Return what a line says; raise `ModelError` where it is none of ours, an error, or the end."""
    if not line:
        raise ModelError(_ending(process, log))
    try:
        facts = json.loads(line)
        if not isinstance(facts, dict):
            raise ValueError
    except ValueError as error:
        raise ModelError(
            f"The program in the model's environment sent what is not understood ({line[:60]!r}). Its log is {log}."
        ) from error
    if "error" in facts:
        raise ModelError(str(facts["error"]))
    return facts


def _progress(facts: dict[str, Any], before: Progress) -> Progress:
    done, total = facts.get("done", 0), facts.get("total", 0)
    numbers = (done, total) if isinstance(done, int) and isinstance(total, int) else (0, 0)
    return Progress(*numbers, str(facts.get("doing", before.message)))


def _ending(process: subprocess.Popen[bytes], log: Path) -> str:
    """Return how a program ended too early, with the last line of its log."""
    with suppress(subprocess.TimeoutExpired):
        process.wait(_PATIENCE)
    code = process.returncode
    if code is not None and code < 0:
        name = signal.Signals(-code).name if -code in set(signal.Signals) else str(-code)
        why = f"was ended by the system ({name}), as where memory runs out"
    else:
        why = f"failed: {_last_line(log) or f'it ended with status {code} and said nothing'}"
    return f"The program in the model's environment {why}. Its log is {log}."


def _last_line(log: Path) -> str:
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _TAIL))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return ""
    return next((line.strip().rstrip(".") for line in reversed(lines) if line.strip()), "")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask a program and its children to end, and end those that do not; harmless where all have ended."""
    family: list[psutil.Process] = []
    with suppress(psutil.Error):
        leader = psutil.Process(process.pid)
        family = [*leader.children(recursive=True), leader]
    for one in family:
        with suppress(psutil.Error):
            one.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(_PATIENCE)
    for one in family:
        with suppress(psutil.Error):
            one.kill()
    if sys.platform != "win32":
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)  # those whose parent had ended before, too
    if process.stdin is not None:
        with suppress(OSError):
            process.stdin.close()
    process.wait()
    # A kill is heard a moment later, and until then its children may write where the caller clears up.
    deadline = time.monotonic() + _PATIENCE
    while any(map(_lives, family)) and time.monotonic() < deadline:
        time.sleep(0.01)


def _lives(process: psutil.Process) -> bool:
    with suppress(psutil.Error):
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    return False
