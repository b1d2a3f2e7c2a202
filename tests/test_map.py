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
    ("stage",),
    ("progress", "jobs"),
    ("statistics",),
    ("scores",),
    ("places",),
    ("corpus",),
    ("conditions",),
    ("benchmark",),
    ("tokens",),
    ("model",),
    ("train",),
    ("tune",),
    ("generate",),
    ("evaluate",),
    ("api", "__init__"),
    ("serve",),
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


def import_statements(path, tree):
    """Everything that a file imports, inside functions too: (full module name, name taken from it or "", line)."""
    package = ("dateline", *path.parent.parts)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "", node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            source = ".".join((*base, *([node.module] if node.module else [])))
            yield from ((source, alias.name, node.lineno) for alias in node.names)


def imported(path, tree):
    """Dateline modules that a file imports: (module below `dateline`, line)."""
    for source, name, line in import_statements(path, tree):
        # `from dateline import config` names a module, `from dateline import __version__` does not
        package, _, below = (f"{source}.{name}" if source == "dateline" else source).partition(".")
        if package == "dateline" and below and not (below.startswith("__") and below != "__main__"):
            yield below, line


def module_name(path):
    """`places/url.py` -> `places.url`, `places/__init__.py` -> `places`."""
    return ".".join(path.with_suffix("").parts).removesuffix("__init__").rstrip(".")


def without_type_checking(tree):
    """The tree without the bodies of `if TYPE_CHECKING`, which never run."""

    class Drop(ast.NodeTransformer):
        def visit_If(self, node):
            self.generic_visit(node)
            names = {part.id for part in ast.walk(node.test) if isinstance(part, ast.Name)}
            return (node.orelse or None) if "TYPE_CHECKING" in names else node

    return Drop().visit(ast.parse(ast.unparse(tree)))


def import_graph(trees):
    """Module -> modules that it imports, at the top or inside functions; `from package import module` is the module."""
    names = {module_name(path) for path in trees}
    graph = {name: set() for name in names}
    for path, tree in trees.items():
        for source, name, _ in import_statements(path, without_type_checking(tree)):
            package, _, below = source.partition(".")
            if package == "dateline":
                part = f"{below}.{name}".strip(".")
                graph[module_name(path)].add(part if part in names else below)
    return {name: sorted(targets & (names - {name})) for name, targets in graph.items()}


def find_cycle(graph):
    """The first import cycle as a list of modules that starts and ends with the same one, or None."""
    finished, path = set(), []

    def visit(name):
        if name in path:
            return [*path[path.index(name) :], name]
        if name in finished:
            return None
        path.append(name)
        cycle = next((found for target in graph[name] if (found := visit(target))), None)
        path.pop()
        finished.add(name)
        return cycle

    return next((found for name in sorted(graph) if (found := visit(name))), None)


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


def test_no_import_goes_round_in_a_cycle(trees):
    cycle = find_cycle(import_graph(trees))
    assert cycle is None, " -> ".join(cycle)


def test_the_finder_of_cycles_finds_one_inside_functions_and_spares_types():
    sources = {
        "places/__init__.py": "from dateline.places.url import parse",
        "places/url.py": "from dateline.places import outlets",
        "places/outlets.py": "def f():\n    from dateline.places.lists import g",
        "places/lists.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from dateline.places import url",
    }
    graph = import_graph({Path(path): ast.parse(source) for path, source in sources.items()})
    assert graph == {
        "places": ["places.url"],
        "places.url": ["places.outlets"],
        "places.outlets": ["places.lists"],
        "places.lists": [],
    }
    assert find_cycle(graph) is None
    sources["places/lists.py"] += "\nelse:\n    from .outlets import h"
    graph = import_graph({Path(path): ast.parse(source) for path, source in sources.items()})
    assert find_cycle(graph) == ["places.outlets", "places.lists", "places.outlets"]


@pytest.mark.parametrize("path", FILES, ids=str)
def test_every_module_has_a_docstring(path, trees):
    assert ast.get_docstring(trees[path])


@pytest.mark.parametrize("folder", FOLDERS, ids=str)
def test_every_folder_is_a_package(folder):
    assert (SOURCE / folder / "__init__.py").is_file()
