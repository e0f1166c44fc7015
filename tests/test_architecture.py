"""The order of the rooms: imports point downwards only, and there is no circle.

Every import counts: at the top of a file, in a function, under TYPE_CHECKING, by `import_module("...")`, and the
modules that a package names to import them at their first use. That importing is cheap: test_startup.py.
"""

import ast
import configparser
import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "tinygrad_lr"

# From the ground up. A module imports from its own room and from rooms on lower floors.
FLOORS = [
    {"kernels"},
    {"integers"},
    {
        "backend",
        "booleans",
        "cuda",
        "explaining",
        "files",
        "pages",
        "reading",
        "reals",
        "settings",
        "suggesting",
        "version",
    },
    {"engine"},
    {"random", "schedules"},
    {"nn", "data"},
    {"optim"},
    {"saving"},
    {"compiled"},
    {"training", "verify"},
    {"race", "sklearn"},
    {"lab"},
    {"__init__"},
    {"cli"},
    {"__main__"},
]
FLOORS_OF_VERIFY = [
    {"language", "report", "kept"},
    {"formulas"},
    {"specification"},
    {"bounds"},
    {"protocol", "brought"},
    {"execution", "sequences", "states"},
    {"guard"},
    {"outcomes"},
    {"adapters", "isolated"},
    {"properties"},
    {"mutants"},
    {"search"},
    {"checks"},
    {"documents"},
    {"conformance", "command", "score", "audit"},
    {"__init__"},
]
PIECES = (
    "_more",
    "_kinds",
    "_short",
    "_utils",
    "_helpers",
)  # names of files that hold a piece of a thing, or many things
TORCHS_NAMES = ("swa_utils",)  # of modules that people import by them


def module_name(path, package):
    parts = path.relative_to(package.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def modules(package):
    """Name -> path of every module."""
    return {module_name(path, package): path for path in sorted(package.rglob("*.py"))}


def imported(name, path, known):
    """The modules that a module imports, wherever the import stands."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    lazy = path.name == "__init__.py" and any(getattr(node, "name", "") == "__getattr__" for node in tree.body)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *filter(None, [node.module])])
            yield from (f"{base}.{alias.name}" if f"{base}.{alias.name}" in known else base for alias in node.names)
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) == "import_module":
            if node.args and isinstance(node.args[0], ast.Constant):
                yield f"{package if node.args[0].value.startswith('.') else ''}{node.args[0].value}"
        elif lazy and isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield f"{package}.{node.value.lstrip('.')}"


def graph(package):
    """Every module of a package -> the modules of the package that it imports."""
    known = modules(package)
    return {
        name: {each for each in imported(name, path, known) if each in known} - {name} for name, path in known.items()
    }


def circles(edges):
    """The groups of modules that import one another, each sorted (Tarjan's strongly connected components)."""
    number, low, stack, found = {}, {}, [], []

    def visit(node):
        number[node] = low[node] = len(number)
        stack.append(node)
        for other in sorted(edges[node]):
            if other not in number:
                visit(other)
            if other in stack:
                low[node] = min(low[node], low[other])
        if low[node] == number[node]:
            place = stack.index(node)
            if len(stack) > place + 1:
                found.append(sorted(stack[place:]))
            del stack[place:]

    for node in edges:
        if node not in number:
            visit(node)
    return sorted(found)


def room_of(name, base):
    """The room of a module of the package `base`: the first part of the rest of its name."""
    return name.removeprefix(base).lstrip(".").partition(".")[0] or "__init__"


def upwards(edges, base, floors):
    """What imports from a room that is not on a lower floor."""
    floor = {room: number for number, rooms in enumerate(floors) for room in rooms}
    inside = {name: others for name, others in edges.items() if f"{name}.".startswith(f"{base}.")}
    rooms = {name: room_of(name, base) for name in inside}
    missing = sorted(set(rooms.values()) - set(floor))
    assert not missing, f"a new room needs its floor in this file: {missing}"
    return [
        f"{name} imports {other}, which is not below it"
        for name, others in inside.items()
        for other in sorted(others & set(inside))
        if rooms[name] != rooms[other] and floor[rooms[other]] >= floor[rooms[name]]
    ]


@pytest.fixture(scope="module")
def edges():
    return graph(PACKAGE)


def test_there_is_no_circle(edges):
    assert circles(edges) == []


def test_there_is_no_circle_in_the_sources_of_pages():
    """Imports of types count, too."""
    root = PACKAGE / "lab" / "web" / "src"
    edges = {}
    for path in root.rglob("*.ts"):
        text = path.read_text(encoding="utf-8")
        named = [path.parent / name for name in re.findall(r'^(?:import|\} from|export) .*"(\..*)";$', text, re.M)]
        places = [other.resolve() for name in named for other in (name, name.with_name(f"{name.name}.ts"))]
        edges[path] = {other for other in places if other.is_file() and other.suffix == ".ts"}
    known = set(edges)
    assert sum(map(len, edges.values())) > 3 * len(edges)
    assert circles({path: others & known for path, others in edges.items()}) == []


def test_imports_point_downwards_only(edges):
    assert upwards(edges, "tinygrad_lr", FLOORS) == []


def test_imports_inside_verify_point_downwards_only(edges):
    assert upwards(edges, "tinygrad_lr.verify", FLOORS_OF_VERIFY) == []


@pytest.fixture
def house(tmp_path):
    """Writes the files of a package and gives its graph."""

    def write(**files):
        package = tmp_path / "tinygrad_lr"
        for name, text in files.items():
            path = package / f"{name.replace('__', '/') if name != '__init__' else name}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return graph(package)

    return write


UPWARDS = [
    "from ..optim import adam",
    "from ..optim.adam import Adam",
    "import tinygrad_lr.optim.adam",
    "def f():\n    from tinygrad_lr.optim.adam import Adam",
    "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from ..optim.adam import Adam",
    "import importlib\nimportlib.import_module('tinygrad_lr.optim.adam')",
]


@pytest.mark.parametrize("text", UPWARDS)
def test_an_import_upwards_is_seen_wherever_it_stands(house, text):
    edges = house(kernels__loops=text, optim__adam="from ..kernels import loops")
    wrong = ["tinygrad_lr.kernels.loops imports tinygrad_lr.optim.adam, which is not below it"]
    assert upwards(edges, "tinygrad_lr", FLOORS) == wrong
    assert circles(edges) == [["tinygrad_lr.kernels.loops", "tinygrad_lr.optim.adam"]]


def test_a_circle_inside_a_room_and_through_a_package_that_imports_at_first_use_is_seen(house):
    edges = house(nn__a="from .b import x", nn__b="from .c import x", nn__c="from . import a", nn__d="from .a import x")
    assert circles(edges) == [["tinygrad_lr.nn.a", "tinygrad_lr.nn.b", "tinygrad_lr.nn.c"]]
    lazy = "PLACES = {'Tensor': '.engine'}\ndef __getattr__(name): ...\n"
    edges = house(__init__=lazy, engine="from tinygrad_lr import Tensor", nn__c="")
    assert circles(edges) == [["tinygrad_lr", "tinygrad_lr.engine"]]


def test_an_import_upwards_inside_verify_and_a_room_without_a_floor_are_seen(house):
    edges = house(verify__bounds__x="from ..checks.y import z", verify__checks__y="", verify__attic__z="")
    with pytest.raises(AssertionError, match="a new room needs its floor"):
        upwards(edges, "tinygrad_lr.verify", FLOORS_OF_VERIFY)
    floors = [*FLOORS_OF_VERIFY, {"attic"}]
    wrong = ["tinygrad_lr.verify.bounds.x imports tinygrad_lr.verify.checks.y, which is not below it"]
    assert upwards(edges, "tinygrad_lr.verify", floors) == wrong


def test_kernels_import_nothing_from_the_rest_of_the_package(edges):
    for name, others in edges.items():
        if room_of(name, "tinygrad_lr") == "kernels":
            assert {room_of(other, "tinygrad_lr") for other in others} <= {"kernels"}, name


def test_verify_imports_no_kernel(edges):
    for name, others in edges.items():
        if room_of(name, "tinygrad_lr") == "verify":
            assert "kernels" not in {room_of(other, "tinygrad_lr") for other in others}, name


def unreadable(package):
    """The files that do not open with a docstring, or whose name says that they hold a piece of a thing."""
    for path in sorted(package.rglob("*.py")):
        if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))):
            yield f"{path.relative_to(package)} must open with a docstring: what it holds"
        if re.search(rf"({'|'.join(PIECES)})$", path.stem) and path.stem not in TORCHS_NAMES:
            yield f"{path.relative_to(package)}: a file holds one thing, whole, and is named after it"


def test_every_file_holds_one_thing_and_says_which():
    assert list(unreadable(PACKAGE)) == []


def test_a_file_without_a_docstring_or_with_a_piece_of_a_thing_is_seen(tmp_path):
    (tmp_path / "adam_more.py").write_text('"""The rest of Adam."""\n')
    (tmp_path / "sgd.py").write_text("x = 1\n")
    named, silent = unreadable(tmp_path)
    assert named.startswith("adam_more.py: a file holds one thing") and silent.startswith("sgd.py must open")


def test_every_package_is_listed_for_installation():
    setup = configparser.ConfigParser()
    setup.read(PACKAGE.parent / "setup.cfg", encoding="utf-8")
    listed = setup["options"]["packages"].split()
    there = [path.parent.relative_to(PACKAGE.parent) for path in PACKAGE.rglob("__init__.py")]
    assert sorted(listed) == sorted(".".join(path.parts) for path in there)


def test_the_root_link_leads_to_the_kernels():
    link = PACKAGE.parent / "kernels"
    if not link.exists():
        pytest.skip("the package is installed without its checkout")
    assert link.resolve() == PACKAGE / "kernels"
