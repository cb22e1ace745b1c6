"""constraints.txt, the versions that the tests ran with on Python 3.11, agrees with pyproject.toml."""

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
LINES = (ROOT / "constraints.txt").read_text().splitlines()


def test_each_line_is_a_name_and_a_version():
    assert [line for line in LINES if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+", line)] == []
    names = [canonicalize_name(line.partition("==")[0]) for line in LINES]
    assert len(set(names)) == len(names) and "mmkeras" not in names


def test_every_requirement_has_a_version_that_it_allows():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = [each for extra in project["optional-dependencies"].values() for each in extra]
    every = [Requirement(each) for each in [*project["dependencies"], *extras]]
    wanted = [each for each in every if each.marker is None or each.marker.evaluate({"python_version": "3.11"})]
    versions = {canonicalize_name(name): version for name, _, version in (line.partition("==") for line in LINES)}
    ours = [(each, versions.get(canonicalize_name(each.name))) for each in wanted if each.name != "mmkeras"]
    wrong = {str(each): version for each, version in ours if version is None or version not in each.specifier}
    assert wrong == {}
