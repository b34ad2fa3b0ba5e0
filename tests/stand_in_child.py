"""A program in the place of `external_child.py`, which needs no library: what it does is the `config` of its job."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import time
from array import array
from pathlib import Path

OFFSET = 352  # of the voxels in a file that this project writes


def tell(**facts: object) -> None:
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


def voxels(file: str) -> tuple[bytes, array[float]]:
    raw = Path(file).read_bytes()
    return raw[:OFFSET], array("f", raw[OFFSET:])


def main(job: dict[str, object]) -> None:
    what, folder = job["config"], Path(str(job["path"]))
    tell(doing="segmenting", done=1, total=2)
    header, values = voxels(job["images"][0])  # type: ignore[index]
    if what == "threshold":  # the first channel's tens are the labels
        values = array("f", (float(int(value) // 10) for value in values))
    elif what == "fail":
        raise RuntimeError("the weights are of another network")
    elif what == "refuse":
        tell(error="There is no CUDA device.")
        sys.exit(3)
    elif what == "garbage":
        sys.stdout.write("Loading: 3 %\n")
    elif what == "hang":
        child = subprocess.Popen([sys.executable, "-I", "-c", "import time; time.sleep(60)"])
        (folder / "pids").write_text(f"{child.pid}")
        tell(doing="hanging")
        time.sleep(60)
    elif what == "turn":  # the place of the first voxel is another
        header = header[:292] + array("f", [99.0]).tobytes() + header[296:]
    Path(str(job["result"])).write_bytes(gzip.compress(header + values.tobytes(), 1))
    tell(finished=True)


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
