"""The command's own manners: help, refusals, exit statuses."""

import os
import socket
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import mmkeras
from mmkeras.cli import main
from mmkeras.cli.main import COMMANDS


def test_each_subcommand_has_help(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as end:
        main(["--help"])
    text = capsys.readouterr().out
    assert end.value.code == 0 and all(name in text for name in COMMANDS)
    for name in COMMANDS:
        with pytest.raises(SystemExit) as end:
            main([name, "--help"])
        text = capsys.readouterr().out
        assert end.value.code == 0 and "--traceback" in text and max(map(len, text.splitlines())) <= 80
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == f"mmkeras {mmkeras.__version__}\n"


def test_what_is_refused_is_printed_without_a_traceback(tmp_path, capsys):
    assert main(["serve", str(tmp_path)]) == 1
    message = capsys.readouterr().err
    assert message.startswith("mmkeras serve: ") and "where there is none. Export a model" in message
    with pytest.raises(ValueError, match="where there is none"):
        main(["serve", str(tmp_path), "--traceback"])
    assert main(["serve", str(tmp_path), "--port", "99999"]) == 1
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert main(["serve", str(tmp_path), "--port", str(taken.getsockname()[1])]) == 1
    assert "mmkeras serve: The port must be free" in capsys.readouterr().err
    with pytest.raises(SystemExit) as end:
        main(["sevre"])
    assert end.value.code == 2


def test_threads_of_the_server(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "2")
    assert main(["serve", str(tmp_path), "--threads", "0"]) == 1
    assert "--threads must be above 0. Received: 0" in capsys.readouterr().err
    assert main(["serve", str(tmp_path), "--threads", "1"]) == 1  # there is no model
    assert os.environ["TF_NUM_INTRAOP_THREADS"] == "1"


def test_values_may_follow_an_option(exported, capsys):
    path = str(exported.folder / "scenes.tflite")
    for words in (["--json", "review=good", "price=1"], ["review=good", "--json", "price=1"]):
        assert main(["ask", path, *words]) == 0 and "mood_scores" in capsys.readouterr().out
    for words in (["ask", path, "review=good", "--jsom"], ["verify", path, "review=good"]):
        with pytest.raises(SystemExit) as end:
            main(words)
        assert end.value.code == 2 and f"unrecognized arguments: {words[-1]}" in capsys.readouterr().err


def test_help_needs_no_heavy_package():
    code = "import sys; from mmkeras.cli.main import _parser; _parser(); print('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"


def test_it_is_installed_as_a_command():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    assert project["project"]["scripts"] == {"mmkeras": "mmkeras.cli:main"}
