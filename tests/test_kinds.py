"""No file asks what kind of head or modality it has before it: the kinds are named in their own files and in lists."""

import ast
from pathlib import Path

import pytest

import mmkeras as mm
from mmkeras import edge, preprocess

ROOT = Path(mm.__file__).parent
LISTS = {"__init__.py", "specs/__init__.py", "preprocess/__init__.py", "data/modalities/__init__.py",
         "heads/__init__.py", "edge/__init__.py", "edge/description.py", "evaluate/kinds.py",
         "evaluate/attribution/__init__.py"}  # fmt: skip
# Heads have a file per kind in heads/, modalities have files named after them. Texts have these files in addition.
OWN = {"text": ["text", "wordpiece", "preset"]}
# Files that concern certain kinds by definition: MixUp of images and sounds, CutMix of images; frames, which are
# images; recorded noise; masked words, patches and spans; phrases that name classes; TF-IDF of texts; `mmkeras new`,
# which chooses a kind for each column of a table; the widget of each kind on a page; pseudo-labels, which are classes.
EXCEPT = {
    "augment/_mix.py", "augment/_acoustics.py", "edge/video.py", "evaluate/_linear.py", "models/_masked.py",
    "preprocess/video.py", "retrieval/_zero_shot.py", "demo/values.py", "demo/widgets.py", "train/_pseudo_labels.py",
    *(f"cli/new/{name}.py" for name in ("files", "labels", "looks", "plans")),
}  # fmt: skip


def _kind(cls):
    stem = cls.__module__.rpartition(".")[2].removeprefix("_")
    return next((kind for kind, stems in OWN.items() if stem in stems), stem)


def is_own(path, kind):
    stem = path.stem.removeprefix("_")
    return any(part.startswith(tuple(OWN.get(kind, [kind]))) for part in (stem, path.parent.name))


PUBLIC = [getattr(room, name) for room in (mm.specs, mm.heads, preprocess, edge) for name in room.__all__]
# For example, Image and DecodeImage: image.
KIND_OF = {each.__name__: _kind(each) for each in PUBLIC if isinstance(each, type)}


def named(path, kinds):
    """Lines that name a class of the kinds, or compare a kind with its name."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            yield from (node.lineno for alias in node.names if KIND_OF.get(alias.name) in kinds and _ours(node))
        elif isinstance(node, ast.Attribute) and KIND_OF.get(node.attr) in kinds and not _of_another_package(node):
            yield node.lineno
        elif isinstance(node, ast.Compare) and "kind" in ast.unparse(node):
            strings = {each.value for each in ast.walk(node) if isinstance(each, ast.Constant)}
            yield from [node.lineno] * bool(strings & set(kinds))


def _ours(node):
    return (node.module or "").startswith("mmkeras")


def _of_another_package(node):
    return ast.unparse(node).split(".")[0] in ("PIL", "rich", "Pillow")


HEADS = {each.kind for each in vars(mm.heads).values() if isinstance(each, type) and issubclass(each, mm.heads.Head)}
FILES = sorted(path for path in ROOT.rglob("*.py") if str(path.relative_to(ROOT)) not in LISTS | EXCEPT)


@pytest.mark.parametrize("kinds", [HEADS - {""}, set(mm.specs.KINDS)], ids=["heads", "modalities"])
def test_kinds_are_named_in_their_own_files_only(kinds):
    assert len(kinds) > 1
    found = {}
    for path in FILES:
        others = {kind for kind in kinds if not is_own(path, kind)}
        own = path.parent.name == "heads" and kinds & HEADS
        if lines := sorted(set(named(path, others))) if others and not own else []:
            found[str(path.relative_to(ROOT))] = lines
    assert found == {}


@pytest.mark.parametrize("source", [
    "from mmkeras.heads import Classification",
    "import mmkeras as mm\nisinstance(head, mm.heads.Classification)",
    "if head.kind == 'classification': pass",
    "x = 1 if found['kind'] != 'classification' else 2",
    "ok = head.kind in ('classification', 'regression')",
])  # fmt: skip
def test_questions_are_seen(source, tmp_path):
    (tmp_path / "asks.py").write_text(source)
    assert list(named(tmp_path / "asks.py", HEADS))
