"""The program that runs an external model: a script for the Python of another environment, which needs nothing of ours.

`python -I external_child.py JOB` reads the job, a JSON file (see `external.py`), runs the model on one case and writes
what it gives as a NIfTI file. It tells how far it is in JSON lines on its standard output; whatever the libraries print
goes to the standard error. When its standard input ends, whoever started it is gone, and it ends with its children.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import threading
from pathlib import Path
from typing import Any, Callable, Mapping  # noqa: UP035 - other environments may have an older Python

Job = Mapping[str, Any]
Tell = Callable[..., None]


class Refused(Exception):  # noqa: N818 - its text is for the person at the screen
    """Something that a person can put right; its text is one sentence."""


def main(path: str) -> int:
    """Run the job and return the exit status."""
    job = json.loads(Path(path).read_text(encoding="utf-8"))
    tell = _teller()
    threading.Thread(target=_end_with_parent, args=(job["folder"],), daemon=True).start()
    try:
        {"nnunet": run_nnunet, "bundle": run_bundle}[job["kind"]](job, tell)
    except Refused as refusal:
        tell(error=str(refusal))
        return 3
    tell(finished=True)
    return 0


def _teller() -> Tell:
    """Return the function that sends a line; from now on what others print goes to the standard error."""
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    sys.stdout = sys.stderr

    def tell(**facts: Any) -> None:
        channel.write(json.dumps(facts) + "\n")
        channel.flush()

    return tell


def _end_with_parent(folder: str) -> None:
    while os.read(0, 1):  # nothing is sent: it returns when the other end is closed
        pass
    shutil.rmtree(folder, ignore_errors=True)
    if os.name == "posix" and os.getpgrp() == os.getpid():
        os.killpg(os.getpgrp(), signal.SIGKILL)
    os._exit(1)


def run_nnunet(job: Job, tell: Tell) -> None:
    """Predict with an nnU-Net v2 results folder and write its labels."""
    tell(doing="loading nnU-Net")
    for name in ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results"):  # asked for on import, not needed here
        os.environ.setdefault(name, job["folder"])
    import torch
    from nnunetv2.inference import predict_from_raw_data as prediction

    device = _device(job["device"])
    if not job["runs_code"]:
        _load_weights_only(torch)
    # Its windows are counted by its progress bar, once for each fold.
    prediction.tqdm = _progress_bar(tell, len(job["folds"]))
    tell(doing="loading the network")
    predictor = prediction.nnUNetPredictor(
        use_mirroring=job["flips"], perform_everything_on_device=device.type == "cuda", device=device
    )
    predictor.initialize_from_trained_model_folder(job["path"], tuple(job["folds"]), job["checkpoint"])
    tell(doing="preparing the images")
    files = predictor.plans_manager.image_reader_writer_class()
    images, properties = files.read_images(job["images"])
    labels = predictor.predict_single_npy_array(images, properties)
    tell(doing="writing the labels")
    files.write_seg(labels, job["result"], properties)


def _load_weights_only(torch: Any) -> None:
    """Let checkpoints be loaded only where that runs no code of theirs: tensors, plain values and numpy's numbers."""
    import pickle

    import numpy as np

    multiarray = getattr(np, "_core", None) or np.core
    numbers = [np.dtype, np.ndarray, multiarray.multiarray.scalar, multiarray.multiarray._reconstruct]
    numbers += [type(np.dtype(kind)) for kind in ("f2", "f4", "f8", "i4", "i8", "u1", "bool")]
    torch.serialization.add_safe_globals(numbers)
    load = torch.load

    def load_weights(file: Any, *args: Any, **options: Any) -> Any:
        try:
            return load(file, *args, **{**options, "weights_only": True})
        except pickle.UnpicklingError as error:
            raise Refused(
                f"{file} holds more than weights, and loading it would run code in it. Where you trust it, add the "
                "model again with --allow-code."
            ) from error

    torch.load = load_weights


def run_bundle(job: Job, tell: Tell) -> None:
    """Run preprocessing, network and postprocessing of a MONAI bundle on the case and write what that gives."""
    tell(doing="loading MONAI")
    root = Path(job["path"])
    os.chdir(root)
    sys.path.insert(0, str(root))  # where its own modules are looked for
    import monai.inferers.utils
    import torch
    from monai.bundle import ConfigParser

    monai.inferers.utils.tqdm = _progress_bar(tell, 1)
    device = _device(job["device"])
    parser = ConfigParser()
    parser.read_config(str(root / job["config"]))
    parser.read_meta(str(root / "configs" / "metadata.json"))
    parser["bundle_root"], parser["device"] = str(root), f"$torch.device({str(device)!r})"
    _leave_out(parser, "postprocessing", "SaveImage")
    parser.parse()
    tell(doing="loading the network")
    network = _bundle_network(parser, root / job["checkpoint"], torch).to(device).eval()
    tell(doing="preparing the images")
    images = job["images"] if len(job["images"]) > 1 else job["images"][0]
    item = parser.get_parsed_content("preprocessing")({job["image_key"]: images})
    inferer = parser.get_parsed_content("inferer")
    if hasattr(inferer, "progress"):
        inferer.progress = True
    tell(doing="segmenting")
    with torch.no_grad():
        given = inferer(item[job["image_key"]][None].to(device), network)
    item[job["result_key"]] = (given[0] if isinstance(given, (tuple, list)) else given)[0].cpu()
    if parser.get("postprocessing") is not None:
        item = parser.get_parsed_content("postprocessing")(item)
    tell(doing="writing the labels")
    _write(item[job["result_key"]], job["result"])


def _leave_out(parser: Any, section: str, name: str) -> None:
    """Take the transforms whose class has such a name out of a section of the configuration."""
    transforms = (parser.get(section) or {}).get("transforms", [])
    for number, one in enumerate(transforms if isinstance(transforms, list) else []):
        if isinstance(one, dict) and name in str(one.get("_target_", "")):
            parser[f"{section}::transforms::{number}::_disabled_"] = True


def _bundle_network(parser: Any, weights: Path, torch: Any) -> Any:
    if weights.suffix == ".ts":
        return torch.jit.load(str(weights), map_location="cpu")
    key = "network_def" if parser.get("network_def") is not None else "network"
    network = parser.get_parsed_content(key)
    state = torch.load(weights, map_location="cpu", weights_only=True)
    for name in ("model", "state_dict", "network"):
        if isinstance(state.get(name), dict):
            state = state[name]
    network.load_state_dict(state)
    return network


def _write(given: Any, path: str) -> None:
    """Write channels (C, X, Y, Z) with the place that MONAI has kept of them."""
    import nibabel
    import numpy as np

    affine = getattr(given, "affine", None)
    if affine is None:
        raise Refused("What the bundle gives has lost its place in space, so it fits no case.")
    array = np.moveaxis(np.asarray(given.cpu() if hasattr(given, "cpu") else given, np.float32), 0, -1)
    nibabel.save(nibabel.Nifti1Image(array[..., 0] if array.shape[-1] == 1 else array, np.asarray(affine)), path)


def _device(wanted: str) -> Any:
    import torch

    if wanted == "auto":
        mps = getattr(torch.backends, "mps", None)
        wanted = "cuda" if torch.cuda.is_available() else "mps" if mps is not None and mps.is_available() else "cpu"
    if wanted.startswith("cuda") and not torch.cuda.is_available():
        raise Refused("PyTorch of this environment finds no CUDA device. Choose auto or cpu.")
    return torch.device(wanted)


def _progress_bar(tell: Tell, rounds: int) -> type:
    """Return a class in the place of tqdm's that tells how many windows of all rounds are done."""
    finished = [0]

    class Bar:
        def __init__(self, steps: Any = None, *_: Any, total: int = 0, **__: Any) -> None:
            self.steps, self.total, self.done = steps, total or len(steps or ()), 0

        def __enter__(self) -> Bar:
            return self

        def __exit__(self, *_: Any) -> None:
            finished[0] += 1

        def __iter__(self) -> Any:
            for step in self.steps or ():
                yield step
                self.update()

        def update(self, count: int = 1) -> None:
            self.done += count
            done = finished[0] % rounds * self.total + self.done
            tell(doing="segmenting", done=done, total=rounds * self.total)

    return Bar


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
