import re
import subprocess
import sys

import pytest

from napari_brainseg import __version__
from napari_brainseg.cli import VERBS, main


def test_help_lists_every_verb_and_says_what_the_program_is_not_for(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    shown = capsys.readouterr().out
    listed = {line.split()[0] for line in shown.splitlines() if re.match(r" {4}\w", line)}
    assert listed == set(VERBS)
    assert "not for diagnosis" in shown


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main([verb, "--help"])
    shown = " ".join(capsys.readouterr().out.split())
    assert f"brainseg {verb}" in shown
    assert f"{VERBS[verb][1:]}." in shown  # names such as MONAI keep their capitals


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    assert capsys.readouterr().out.strip() == f"napari-brainseg {__version__}"


def test_help_waits_for_no_torch() -> None:
    code = "import sys; from napari_brainseg.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass\n"
    code += "assert not {'torch', 'napari', 'nibabel'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


@pytest.mark.parametrize("words", [["models"], ["models", "brats"]])  # less and more than is buffered
def test_a_reader_that_has_seen_enough_gets_no_traceback(words: list[str]) -> None:
    verb = [sys.executable, "-m", "napari_brainseg", *words]
    with subprocess.Popen(verb, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1
