"""The tests at the lowest versions that setup.cfg promises, and at the newest that there are.

    nox                                        # both, each on the Python that goes with it
    nox -s newest -- tests/kernels             # some tests, on every Python from the lowest to the highest
    nox -s build                               # the package as it would be uploaded

setup.cfg alone says which versions: Pythons in its classifiers, the rest in its requirements. A Python that is not
installed is skipped by name; with CI=true it is an error.
"""

import configparser
import re
from pathlib import Path

import nox

SETUP = configparser.ConfigParser()
SETUP.read(Path(__file__).with_name("setup.cfg"))
PYTHONS = re.findall(r"Python :: (3\.\d+)$", SETUP["metadata"]["classifiers"], re.MULTILINE)

nox.needs_version = ">=2024.3.2"
nox.options.sessions = [f"lowest-{PYTHONS[0]}", f"newest-{PYTHONS[-1]}"]
nox.options.download_python = "never"


def lowest_versions():
    """Constraints for pip: every `name >= version` as `name == version`."""
    extras = (SETUP["options.extras_require"][name] for name in ("plot", "verify", "test"))
    wanted = "\n".join([SETUP["options"]["install_requires"], *extras])
    found = [line.replace(">=", "==") for line in wanted.splitlines() if ">=" in line]
    return [*found, "pyparsing < 3.3"]  # Matplotlib 3.9 uses names that pyparsing 3.3 warns of, an error in our tests


@nox.session(python=PYTHONS[:1])
def lowest(session):
    """The tests at the lowest versions."""
    constraints = Path(session.create_tmp()) / "lowest.txt"
    constraints.write_text("\n".join(lowest_versions()))
    session.install("-e", ".[test]", "-c", str(constraints))
    session.run("pytest", *session.posargs)


@nox.session(python=PYTHONS)
def newest(session):
    """The tests at the newest versions."""
    session.install("-e", ".[test]")
    session.run("pytest", *session.posargs)


@nox.session
def build(session):
    """Source archive and wheel, checked, in nox's own folder."""
    session.install("build", "twine")
    folder = Path(session.create_tmp()) / "dist"
    session.run("python", "-m", "build", "--outdir", str(folder))
    session.run("twine", "check", "--strict", *map(str, folder.iterdir()))
