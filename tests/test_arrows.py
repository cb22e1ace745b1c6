"""The floors of the house: a room imports from its own and from those before it, however it imports."""

import ast
from pathlib import Path

import pytest

import mmkeras as mm

ROOT = Path(mm.__file__).parent
FLOORS = [
    "formats", "edge", "client",
    "checks", "data_checks", "temporary_folder", "config", "specs", "causes", "contract", "distribute", "presets",
    "layers", "losses", "preprocess", "augment", "data",
    "branches", "fusion", "decoding", "heads", "models",
    "train", "evaluate", "export", "retrieval", "serve",
    "demo", "loading", "cli",
]  # fmt: skip
# Scripts of export/process run where mmkeras must not be imported; another test checks that.
FILES = sorted(path for path in ROOT.rglob("*.py") if path.parent.name != "scripts" and path != ROOT / "__init__.py")


def imports(source, room):
    """Rooms of mmkeras that a file of `room` imports when it runs, by whatever means.

    Where it imports by a name that is made at run time, each string that names a room counts.
    """
    tree = ast.parse(source)
    unread = {id(each) for node in ast.walk(tree) if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
              for part in node.body for each in ast.walk(part)}  # fmt: skip
    nodes = [node for node in ast.walk(tree) if id(node) not in unread]
    found = [name for node in nodes for name in _imported(node, room)]
    if any(isinstance(node, ast.Name | ast.Attribute) and _called(node) in _IMPORTERS for node in nodes):
        found += [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    names = {name.removeprefix("mmkeras.").split(".")[0] for name in found}
    return names & set(FLOORS)


_IMPORTERS = ("import_module", "__import__")


def _called(node):
    return node.id if isinstance(node, ast.Name) else node.attr


def _imported(node, room):
    """Full names below mmkeras."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names if alias.name.startswith("mmkeras.")]
    if not isinstance(node, ast.ImportFrom):
        return []
    if node.level:
        return [room]  # relative imports stay in their room; see `test_no_import_is_relative`
    if node.module == "mmkeras":
        return [alias.name for alias in node.names]
    return [node.module] if node.module.startswith("mmkeras.") else []


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_arrows_point_one_way(path):
    room = path.relative_to(ROOT).with_suffix("").parts[0]
    above = {name for name in imports(path.read_text(), room) if FLOORS.index(name) > FLOORS.index(room)}
    assert above == set(), f"{path.relative_to(ROOT)} imports from a later room"


def test_no_import_is_relative():
    relative = [str(path) for path in FILES for node in ast.walk(ast.parse(path.read_text()))
                if isinstance(node, ast.ImportFrom) and node.level]  # fmt: skip
    assert relative == []


@pytest.mark.parametrize("source", [
    "import mmkeras.export",
    "import mmkeras.export.parity as parity",
    "from mmkeras import export",
    "from mmkeras.export import parity",
    "def f():\n    from mmkeras.export.parity import units",
    "import importlib\nimportlib.import_module('mmkeras.export')",
    "from importlib import import_module\ndef f(name='export'):\n    import_module(f'mmkeras.{name}')",
    "import importlib\n_NAMES = {'x': 'export'}\ndef __getattr__(name):\n"
    "    return importlib.import_module('mmkeras.' + _NAMES[name])",
    "__import__('mmkeras.export.parity')",
])  # fmt: skip
def test_every_way_to_import_is_seen(source):
    assert "export" in imports(source, "data")


def test_words_are_no_imports():
    assert imports("room = 'export'\nif TYPE_CHECKING:\n    from mmkeras.export import parity", "data") == set()
