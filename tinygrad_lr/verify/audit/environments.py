"""An environment of its own for each package, in which it is installed beside what the kit needs. Next: running.py.

uv is used where it is on the PATH: it installs from its cache by hard links, in seconds. Else `venv` and pip.
"""

from __future__ import annotations

import configparser
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import requires
from pathlib import Path

from tinygrad_lr.files import write_text

from .rows import Package

ROOT = Path(__file__).resolve().parents[3]
"""The folder that holds the kit: its checkout, or site-packages."""
LIST_VERSIONS = (
    "import importlib.metadata as m, json; print(json.dumps({d.name: d.version for d in m.distributions()}))"
)


class InstallError(Exception):
    """A package cannot be installed. The message is what the installer said last."""


@dataclass(frozen=True)
class Environment:
    """A virtual environment with a package in it.

    Attributes:
        folder: where it is.
        package: what is installed.
    """

    folder: Path
    package: Package

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

    @property
    def requirements(self) -> list[str]:
        """What is installed: the package, what it forgets to ask for, and what the kit needs."""
        return [self.package.name, *self.package.requires, *requirements_of_the_kit()]

    def prepare(self, seconds: float = 1800.0) -> dict[str, str]:
        """Install what is not there yet, and write down the versions.

        Returns:
            The versions of all distributions in it.

        Raises:
            InstallError: the package cannot be had, or its requirements contradict each other.
        """
        written = self.folder / "audit.json"
        if written.is_file():
            known = json.loads(written.read_text())
            if known["requirements"] == self.requirements:
                return dict(known["versions"])
        self._install(seconds)
        found = subprocess.run([self.python, "-c", LIST_VERSIONS], capture_output=True, text=True, check=True)
        versions = dict(sorted(json.loads(found.stdout).items()))
        write_text(written, json.dumps({"requirements": self.requirements, "versions": versions}, indent=1) + "\n")
        return versions

    def _install(self, seconds: float) -> None:
        uv = shutil.which("uv")
        if not self.python.is_file():
            create = [uv, "venv", "-q", "--python", sys.executable] if uv else [sys.executable, "-m", "venv"]
            _run([*create, str(self.folder)], seconds)
        install = [uv, "pip", "install", "-q", "--python"] if uv else []
        command = [*install, str(self.python)] if uv else [str(self.python), "-m", "pip", "install", "-q"]
        if self.package.unasked:
            _run([*command, *self.requirements[1:]], seconds)
            _run([*command, "--no-deps", self.package.name], seconds)
        else:
            _run([*command, *self.requirements], seconds)


def _run(command: list[str], seconds: float) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds)
    except subprocess.TimeoutExpired:
        raise InstallError(f"not installed within {seconds:.0f} s") from None
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.strip()]
        raise InstallError("; ".join(said[-3:]) or f"{command[0]} ended with status {done.returncode}")


def requirements_of_the_kit() -> list[str]:
    """What `tinygrad_lr[verify]` requires, from setup.cfg in a checkout, and else from what is installed."""
    settings = ROOT / "setup.cfg"
    if settings.is_file():
        parsed = configparser.ConfigParser()
        parsed.read(settings)
        lines = f"{parsed['options']['install_requires']}\n{parsed['options.extras_require']['verify']}"
        return [line.strip() for line in lines.splitlines() if line.strip()]
    wanted = [line for line in requires("tinygrad_lr") or [] if "extra" not in line or 'extra == "verify"' in line]
    return [line.partition(";")[0].strip() for line in wanted]


def version_in(versions: dict[str, str], name: str) -> str:
    """The version of a distribution, whose name is compared as the registry does.

    Example:
        >>> version_in({"torch-optimi": "0.3.3"}, "torch_optimi")
        '0.3.3'
    """
    return next((version for key, version in versions.items() if _plain(key) == _plain(name)), "")


def _plain(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")
