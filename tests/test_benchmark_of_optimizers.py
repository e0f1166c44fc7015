"""benchmarks/optimizers.py: its sizes, how many arrays a step moves, and its rows. What it measures is no test."""

import importlib.util
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def benchmark():
    file = Path(__file__).parents[1] / "benchmarks/optimizers.py"
    found = importlib.util.spec_from_file_location("benchmark_of_optimizers", file)
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def test_sizes_are_tensors_of_a_length_or_matrices(benchmark):
    assert benchmark.shapes_of("2e3") == [(2000,)]
    assert benchmark.shapes_of("3x10+1") == [(10,), (10,), (10,), (1,)]
    assert benchmark.shapes_of("2x4*5") == [(4, 5), (4, 5)] and benchmark.elements_of("2x4*5") == 40
    assert [array.shape for array in benchmark.arrays_of("4*5+7", 0)] == [(4, 5), (7,)]


def test_the_arrays_that_a_step_moves_are_its_states(benchmark):
    assert [benchmark.states_of(name, "100") for name in ("signsgd", "adam")] == [0, 2]


def test_a_row_has_times_and_how_many_of_ours_and_losses_in_bold(benchmark):
    found = {
        "tinygrad_lr": [3e-3, 1e-3, 2e-3],
        "torch fused": [1e-3],
        "optax jit": [],
        "NumPy": [50e-3],
        "stream": [1e-3],
    }
    row = benchmark.table_row("adam", "1e7", found)
    assert row == "| Adam | 1e7 | 2 ms | 1 ms (**0.5**) |  | 50 ms (25) | 1 ms | 50% |"
    assert benchmark.table_head(["tinygrad_lr", "stream"]).splitlines() == [
        "| optimizer | parameters | ours | stream | share |",
        "|---|---|---|---|---|",
    ]


def test_a_side_that_fails_is_left_out_with_its_last_error(benchmark):
    seconds, reason = benchmark.measure("torch default", "lion", "10", 1)
    assert seconds is None and ("torch has no Lion" in reason or "No module named 'torch'" in reason)
