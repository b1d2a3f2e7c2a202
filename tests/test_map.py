"""The package layout (docs/design.md): who may import whom, no cycles, and a docstring for every module."""

import ast
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SOURCE = HERE.parent / "src" / "dateline"

ORDER = (
    ("records", "errors"),
    ("config",),
    ("manifest",),
    ("progress",),
    ("statistics",),
    ("places",),
    ("corpus",),
    ("conditions",),
    ("tokens",),
    ("model",),
    ("train",),
    ("evaluate",),
    ("experiment",),
    ("report",),
    ("testing",),
    ("cli",),
    ("__main__",),
)
"""A later line may import an earlier one, never the reverse."""

RANK = {room: rank for rank, rooms in enumerate(ORDER) for room in rooms}

FILES = sorted(path.relative_to(SOURCE) for path in SOURCE.rglob("*.py"))
MODULES = [path for path in FILES if path.name != "__init__.py"]
FOLDERS = sorted({path.parent for path in FILES})


def room(module):
    return module.split(".")[0]


def imported(path, tree):
    """Dateline modules that a file imports, inside functions too: (module below `dateline`, line)."""
    package = ("dateline", *path.parent.parts)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            source = ".".join((*base, *([node.module] if node.module else [])))
            # `from dateline import config` names a room, `from dateline import __version__` does not
            names = [f"{source}.{alias.name}" for alias in node.names] if source == "dateline" else [source]
        else:
            continue
        for name in names:
            below = name.partition(".")[2]
            if name.split(".")[0] == "dateline" and below and not (below.startswith("__") and below != "__main__"):
                yield below, node.lineno


@pytest.fixture(scope="module")
def trees():
    return {path: ast.parse((SOURCE / path).read_text(encoding="utf-8")) for path in FILES}


def test_the_tree_is_there():
    assert len(MODULES) > 50
    assert Path("train/loop.py") in MODULES


def test_every_room_is_on_the_map():
    rooms = {path.parts[0].removesuffix(".py") for path in FILES} - {"__init__"}
    assert rooms <= RANK.keys()


def test_imports_go_up_the_map_only(trees):
    wrong = [
        f"{path}:{line}: {room(module)} lies below"
        for path, tree in trees.items()
        for module, line in imported(path, tree)
        if RANK[room(module)] > RANK.get(path.parts[0].removesuffix(".py"), -1)
    ]
    assert not wrong, "\n".join(wrong)


def test_nothing_imports_the_doubles_made_for_tests(trees):
    wrong = [
        f"{path}:{line}"
        for path, tree in trees.items()
        for module, line in imported(path, tree)
        if room(module) == "testing" and path.parts[0] != "testing"
    ]
    assert not wrong, "\n".join(wrong)


def test_every_import_of_a_room_exists():
    for path in FILES:
        for module, line in imported(path, ast.parse((SOURCE / path).read_text(encoding="utf-8"))):
            target = SOURCE.joinpath(*module.split("."))
            assert target.with_suffix(".py").exists() or (target / "__init__.py").exists(), f"{path}:{line}: {module}"


def test_the_reader_of_imports_sees_every_form():
    source = "import dateline.cli.train\ndef f():\n    from dateline.report.page import x\nfrom . import loop\n"
    source += "from ..cli import main\nfrom dateline import __version__, testing\nimport os\n"
    found = {module for module, _ in imported(Path("train/made_up.py"), ast.parse(source))}
    assert found == {"cli.train", "report.page", "train", "cli", "testing"}


@pytest.mark.parametrize("path", FILES, ids=str)
def test_every_module_has_a_docstring(path, trees):
    assert ast.get_docstring(trees[path])


@pytest.mark.parametrize("folder", FOLDERS, ids=str)
def test_every_folder_is_a_package(folder):
    assert (SOURCE / folder / "__init__.py").is_file()
