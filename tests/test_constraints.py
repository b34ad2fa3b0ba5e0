from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
WANTED = [*PROJECT["dependencies"], *(r for extra in PROJECT["optional-dependencies"].values() for r in extra)]


@pytest.fixture(scope="module")
def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    matches = [re.fullmatch(r"([\w.\-]+)==([\w.+!]+)", line) for line in lines if not line.startswith("#")]
    assert all(matches)
    return {canonicalize_name(m[1]): m[2] for m in matches if m}


@pytest.mark.parametrize("requirement", [Requirement(r) for r in WANTED], ids=str)
def test_every_requirement_is_pinned_within_its_range(requirement, pins):
    if requirement.name != PROJECT["name"]:
        assert requirement.specifier.contains(pins[canonicalize_name(requirement.name)])


def test_torch_is_pinned_without_a_build(pins):
    # A pin with "+cpu" could only be met where pip is set up for that build.
    assert pins["torch"] == "2.13.0"
    assert not any("+" in version for version in pins.values())


def test_nothing_is_pinned_twice():
    names = [line.partition("==")[0] for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()]
    assert len(names) - len(set(names)) == 0
