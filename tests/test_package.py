"""The walls of the house: what stays unloaded until it is used, and what is public."""

import ast
import doctest
import importlib
import inspect
import pkgutil
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import mmkeras as mm

ROOT = Path(mm.__file__).parent
FILES = sorted(path for path in ROOT.rglob("*.py") if path.parent.name != "scripts")


MODEL_CODE = ("layers", "losses", "branches", "fusion", "decoding", "heads", "models")


@pytest.mark.parametrize("path", [p for p in FILES if p.relative_to(ROOT).parts[0] in MODEL_CODE])
def test_model_code_is_free_of_tensorflow(path):
    roots = {(node.module or "").split(".")[0] for node in ast.walk(ast.parse(path.read_text()))
             if isinstance(node, ast.ImportFrom)}  # fmt: skip
    roots |= {alias.name.split(".")[0] for node in ast.walk(ast.parse(path.read_text()))
              if isinstance(node, ast.Import) for alias in node.names}  # fmt: skip
    assert not roots & {"tensorflow", "tensorflow_text", "tensorflow_io"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_can_be_read_in_one_go(path):
    assert len(path.read_text().splitlines()) <= 300


def test_heavy_packages_wait_until_they_are_used():
    code = """
import sys, mmkeras as mm
spec = mm.Text("review"); spec.ready; dir(mm)
heavy = {"tensorflow", "keras", "tensorflow_text", "tensorflow_io", "soundfile"}
heavy |= {"keras_hub", "keras_nlp", "keras_cv", "pandas"}
print(sorted(heavy & set(sys.modules)), len(sys.modules))
mm.branches, mm.fusion, mm.data, mm.augment, mm.preprocess, mm.heads, mm.models, mm.train, mm.evaluate, mm.export
print(sorted({"tensorflow_io", "soundfile", "keras_hub", "keras_nlp", "keras_cv"} & set(sys.modules)))
"""
    first, second = subprocess.check_output([sys.executable, "-c", code], text=True).strip().splitlines()[-2:]
    names, count = first.rsplit(" ", 1)
    assert names == "[]"
    assert int(count) < 200
    assert second == "[]"


def test_every_public_name_is_there():
    for name in mm.__all__:
        assert getattr(mm, name) is not None
        assert name in dir(mm)
    with pytest.raises(AttributeError, match="no attribute 'fusion_modle'"):
        _ = mm.fusion_modle


ROOMS = ["augment", "branches", "branches.audio", "branches.image", "client", "data", "data.generate", "decoding",
         "edge", "evaluate", "export", "contract", "distribute", "fusion", "heads", "layers", "losses", "models",
         "preprocess", "retrieval", "serve", "specs", "train"]  # fmt: skip


@pytest.mark.parametrize("room", ROOMS)
def test_public_names_are_there_once_and_are_no_modules_of_another_kind(room):
    module = importlib.import_module(f"mmkeras.{room}")
    assert sorted(set(module.__all__)) == sorted(module.__all__)
    modules = {each.name for each in pkgutil.iter_modules(module.__path__)}
    shadowed = [name for name in module.__all__ if name in modules and not inspect.ismodule(getattr(module, name))]
    assert shadowed == []


def test_dir_names_each_thing_once():
    assert len(set(dir(mm))) == len(dir(mm))


EXAMPLES = [path for path in FILES if ">>>" in path.read_text()]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: str(path.relative_to(ROOT)))
def test_examples_in_docstrings(path):
    module = importlib.import_module(".".join(["mmkeras", *path.relative_to(ROOT).with_suffix("").parts]))
    found = doctest.testmod(module, extraglobs={"np": np, "tf": tf, "keras": keras}, optionflags=doctest.ELLIPSIS)
    assert found.attempted > 0
    assert found.failed == 0
