"""What tests of trainings share: both modes, a process without a compiler, and what stands for its sudden end."""

import pytest

from tinygrad_lr import backend

MODES = pytest.mark.parametrize("compiled", [False, True], ids=["eager", "compiled"])


@pytest.fixture
def machine_code_as_python(monkeypatch):
    """Where nothing is compiled, compiled steps run as plain Python."""
    if not backend.compiles():
        monkeypatch.setattr(backend, "compiles", lambda: True)


class Crash(Exception):
    """Stands for what ends a process at once: nothing but files is handed on."""
