"""Hypothesis profiles and the marker for real GPUs, said once for the whole suite."""

import os

import pytest
from hypothesis import HealthCheck, settings

from tinygrad_lr import cuda, manual_seed

slow_is_fine = [HealthCheck.too_slow, HealthCheck.data_too_large]
settings.register_profile("default", deadline=None, max_examples=50, suppress_health_check=slow_is_fine)
# Uncompiled, a loop over elements takes a hundred times longer, and the compiled mode has run the same checks.
fewer = 24 if os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0") else 50
settings.register_profile("ci", settings.get_profile("default"), derandomize=True, max_examples=fewer)
settings.register_profile("deep", settings.get_profile("default"), max_examples=5000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "default"))


def pytest_runtest_setup() -> None:
    """First weights and unseeded orders are the same in every run too."""
    manual_seed(0)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A green simulator never counts as evidence of a GPU: tests marked `gpu` run on hardware only, or say why not."""
    gpu_tests = [item for item in items if item.get_closest_marker("gpu")]
    if not gpu_tests:
        return
    if cuda.is_simulated() or not cuda.is_available():
        reason = f"needs a real GPU; CUDA here is {cuda.state()}"
        for item in gpu_tests:
            item.add_marker(pytest.mark.skip(reason=reason))
