"""The house: imports point downwards only, and the files stay readable. That importing is cheap: test_startup.py."""

import ast
import configparser
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "tinygrad_lr"

# From the ground up. A room may import from rooms below it and from its own floor only where the same name says so.
FLOORS = [
    {"kernels"},
    {"backend", "cuda", "files", "integers"},
    {"engine"},
    {"random", "schedules"},
    {"nn", "optim", "data"},
    {"compiled"},
    {"training", "verify"},
    {"cli"},
    {"__main__", "__init__"},
]
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}


def rooms_imported(path):
    """The rooms of tinygrad_lr that a file imports while it is loaded (imports inside functions are calls upwards that
    wait until they are needed; they are checked too, because a cycle stays a cycle)."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(parts[: len(parts) - node.level]) if node.level else ""
            module = ".".join(filter(None, [base, node.module or ""]))
            names = [f"{module}.{alias.name}" for alias in node.names] if module == "tinygrad_lr" else [module]
        else:
            continue
        for name in names:
            pieces = name.split(".")
            if pieces[0] == "tinygrad_lr" and len(pieces) > 1 and pieces[1] in FLOOR:
                yield pieces[1]


def room_of(path):
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def violations(files):
    found = []
    for path in files:
        room = room_of(path)
        for other in rooms_imported(path):
            if room != "__init__" and other != room and FLOOR[other] >= FLOOR[room]:
                found.append(f"{path.relative_to(PACKAGE)} imports {other}, which is not below it")
    return found


def test_imports_point_downwards_only():
    files = sorted(PACKAGE.rglob("*.py"))
    assert {room_of(path) for path in files} <= set(FLOOR), "a new room needs its floor in FLOORS"
    assert not violations(files)


def test_an_import_upwards_is_seen(tmp_path, monkeypatch):
    (tmp_path / "tinygrad_lr" / "kernels").mkdir(parents=True)
    bad = tmp_path / "tinygrad_lr" / "kernels" / "adam.py"
    bad.write_text("from ..optim import Adam\n")
    monkeypatch.setattr(sys.modules[__name__], "PACKAGE", tmp_path / "tinygrad_lr")
    assert violations([bad]) == ["kernels/updates/adam.py imports optim, which is not below it"]


def test_kernels_import_nothing_from_the_rest_of_the_package():
    for path in (PACKAGE / "kernels").rglob("*.py"):
        assert set(rooms_imported(path)) <= {"kernels"}, path


def test_verify_imports_no_kernel():
    for path in (PACKAGE / "verify").rglob("*.py"):
        assert "kernels" not in set(rooms_imported(path)), path


def test_files_stay_readable():
    for path in PACKAGE.rglob("*.py"):
        assert ast.get_docstring(ast.parse(path.read_text())), f"{path} opens with what, why and where next"


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
