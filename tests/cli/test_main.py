"""The command's own manners: help, refusals, exit statuses."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from mmkeras.cli import main
from mmkeras.cli.main import COMMANDS


def test_each_subcommand_has_help(capsys):
    with pytest.raises(SystemExit) as end:
        main(["--help"])
    text = capsys.readouterr().out
    assert end.value.code == 0 and all(name in text for name in COMMANDS)
    for name in COMMANDS:
        with pytest.raises(SystemExit) as end:
            main([name, "--help"])
        assert end.value.code == 0 and "--traceback" in capsys.readouterr().out


def test_what_is_refused_is_printed_without_a_traceback(tmp_path, capsys):
    assert main(["serve", str(tmp_path)]) == 1
    message = capsys.readouterr().err
    assert message.startswith("mmkeras serve: ") and "where there is none. Export a model" in message
    with pytest.raises(ValueError, match="where there is none"):
        main(["serve", str(tmp_path), "--traceback"])
    with pytest.raises(SystemExit) as end:
        main(["sevre"])
    assert end.value.code == 2


def test_help_needs_no_heavy_package():
    code = "import sys; from mmkeras.cli.main import _parser; _parser(); print('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"


def test_it_is_installed_as_a_command():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    assert project["project"]["scripts"] == {"mmkeras": "mmkeras.cli:main"}
