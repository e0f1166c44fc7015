"""How checks end: in one thread, in time, as expected or not; and how a report says so."""

import gc
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from tinygrad_lr import verify
from tinygrad_lr.verify import adapters, outcomes
from tinygrad_lr.verify.guard import AGNOSTIC
from tinygrad_lr.verify.mutants import MUTANTS
from tinygrad_lr.verify.outcomes import TIMEOUT
from tinygrad_lr.verify.report import Finding, Report
from tinygrad_lr.verify.search.search import PROTOCOL


class Descent:
    """The least protocol."""

    def __init__(self, params, lr=0.1):
        self.params, self.lr = params, lr

    def step(self, grads):
        for p, g in zip(self.params, grads, strict=True):
            if g is not None:
                p -= p.dtype.type(self.lr) * g


def checked(make, spec="sgd", **settings):
    return verify.check_optimizer(make, spec, **{"hyperparameters": {"lr": 0.1}, "max_examples": 1, **settings})


class TestThreads:
    def look(self, run, limit=TIMEOUT):
        return outcomes.run_with_timeout(
            lambda check: Finding(check.id, check.statement, "passed", str(run())), PROTOCOL, limit
        )

    def test_one_thread_asks_after_another(self):
        names = {self.look(threading.get_ident).reason for _ in range(3)}
        assert len(names) == 1 and str(threading.get_ident()) not in names

    def test_a_thread_that_hangs_is_replaced(self):
        before = self.look(threading.get_ident).reason
        stop = threading.Event()
        found = self.look(stop.wait, limit=0.05)
        assert (
            found.outcome == "error" and found.raised == "hangs" and found.reason.startswith("no answer within 0.05 s")
        )
        assert self.look(threading.get_ident).reason != before
        stop.set()

    def test_a_check_inside_a_check_has_a_thread_of_its_own(self):
        assert self.look(lambda: self.look(lambda: 7, limit=5).reason, limit=10).reason == "7"

    def test_what_a_subject_sets_for_its_thread_ends_with_the_property(self):
        self.look(lambda: np.seterr(all="raise"))
        assert "'over': 'warn'" in self.look(np.geterr).reason

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
    @pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
    @pytest.mark.filterwarnings("ignore:os.fork:RuntimeWarning")
    def test_the_child_of_a_fork_starts_a_thread_of_its_own(self):
        self.look(lambda: 1)
        child = os.fork()
        if child == 0:
            os._exit(0 if self.look(lambda: 1, limit=20).outcome == "passed" else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0

    def test_a_check_takes_no_full_garbage_collections(self):
        """hypothesis makes one for every thread that it has not seen; with much imported each takes 0.3 s."""
        checked(Descent)
        gc.collect()
        before = gc.get_stats()[2]["collections"]
        checked(Descent)
        assert gc.get_stats()[2]["collections"] - before <= 2


HANGS = """
import sys
from tinygrad_lr import verify
from tinygrad_lr.verify import outcomes
outcomes.GRACE = 0.2
class Hangs:
    def __init__(self, params, lr=0.1): self.params = params
    def step(self, grads): sum(range(10**12))  # in C, without giving the interpreter's lock away
verify.check_optimizer(Hangs, "sgd", hyperparameters={"lr": 0.1}, timeout=0.3)
"""


def test_a_hang_that_lets_nothing_else_run_is_named_by_its_property():
    environment = {key: value for key, value in os.environ.items() if key != "PYTEST_CURRENT_TEST"}
    with subprocess.Popen([sys.executable, "-c", HANGS], stderr=subprocess.PIPE, text=True, env=environment) as process:
        said = []
        for line in process.stderr:
            said.append(line)
            if "outcomes.py, line" in line.replace('"', "") and line.rstrip().endswith("in P0"):
                break
        process.kill()
    assert any(line.startswith("Timeout") for line in said) and said[-1].rstrip().endswith("in P0"), said
    assert any("in step" in line for line in said)


def test_a_schedule_with_a_specification_is_asked_under_guard():
    def hangs(step):
        while True:
            time.sleep(0.01)

    report = verify.check_schedule(hangs, "cosine", total_steps=10, end=0.0, timeout=0.2)
    assert report["P0"].raised == "hangs" and report["P42"].outcome == "not run"
    report = verify.check_schedule(lambda step: sys.exit(3), "cosine", total_steps=10, end=0.0)
    assert report["P0"].reason.startswith("it raised SystemExit: 3")


class TestExpectations:
    class Broken(Descent):
        def get_state(self):
            return 1 // 0

        def set_state(self, state):
            pass

    def found(self, reason):
        return checked(self.Broken, expected_failures={"P9": reason}, properties=["P2", "P9"])

    def test_an_error_is_no_expected_failure(self):
        report = self.found("forgets its steps")
        assert not report.ok and report["P9"].outcome == "error"
        assert "ZeroDivisionError" in report["P9"].reason
        assert report["P9"].reason.endswith("expected was a failure: forgets its steps")

    def test_unless_the_reason_names_it(self):
        report = self.found("get_state() raises ZeroDivisionError until issue 7 is closed")
        assert report.ok and report["P9"].outcome == "expected failure"

    def test_an_expected_test_that_errs_is_no_xfail(self):
        from tinygrad_lr.verify.checks.suite import CheckedCodeError, OptimizerCheck

        settings = {"make": self.Broken, "spec": "sgd", "hyperparameters": {"lr": 0.1}, "max_examples": 0}
        with pytest.raises(CheckedCodeError, match="ZeroDivisionError"):
            OptimizerCheck("P9", {**settings, "expected_failures": {"P9": "forgets"}})()
        with pytest.raises(AssertionError, match="ZeroDivisionError"):
            OptimizerCheck("P9", {**settings, "expected_failures": {"P9": "ZeroDivisionError"}})()


class TestReports:
    def test_after_a_broken_protocol_there_is_one_line_and_one_lesson(self):
        class Other(Descent):
            def step(self):
                pass

        report = checked(Other)
        text = str(report)
        assert f"{len(report.findings) - 1} more, P1 to P34: P0 comes first" in text and len(text) < 1200, text
        assert text.count("P0 comes first") == 1
        line = Other.step.__code__.co_firstlineno
        assert "it cannot be called as step(grads)" in text and f"{Path(__file__).name}, line {line})" in text
        assert len(report.failures) == len(report.findings) and json.loads(json.dumps(report.as_dict()))["ok"] is False

    def test_a_make_that_does_not_fit_is_named_by_its_line(self):
        finding = verify.check_optimizer(lambda: Descent([]))["P0"]
        assert "it cannot be called as make(params, **hyperparameters)" in finding.reason
        assert Path(__file__).name in finding.reason

    def test_an_error_is_placed_in_the_callers_code_and_its_message_cut(self):
        class Verbose(Descent):
            def step(self, grads):
                raise ValueError("y" * 10**6 + "\nmore")

        finding = checked(Verbose)["P0"]
        assert len(finding.reason) < 600 and Path(__file__).name in finding.reason and finding.raised == "ValueError"
        assert finding.example["gradients"] == [[None]] or np.size(finding.example["params"][0]) == 1, "made small"

    def test_a_message_that_cannot_be_printed(self):
        class Mute(Exception):
            def __str__(self):
                raise RuntimeError("no words")

        assert outcomes.describe_error(Mute()) == "it raised Mute: (with a message that cannot be printed)"

    def test_what_the_formula_has_and_make_does_not_take_is_said(self):
        class Fixed(Descent):
            def __init__(self, params):
                super().__init__(params, 0.05)

        finding = verify.check_optimizer(Fixed, verify.spec("sgd", lr=0.001), max_examples=0)["P1"]
        assert finding.outcome == "failed" and finding.reason == "make() takes no lr: the formula has lr = 0.001"
        assert "note      make() takes no lr" in str(finding)

    def test_bits_have_no_bound_and_names_have_room(self):
        bits = Finding("P2", "s", "failed", where="w", expected="1", actual="2", ratio=float("inf"))
        assert "times what rounding allows" not in str(bits)
        rows = str(Report("x", [bits, Finding("P26.idempotent", "s", "passed", "not examined: y")])).splitlines()
        assert "  P26.idempotent clipping twice" in rows and "      P26.idempotent  not examined: y" in rows

    def test_p0_alone_is_not_all_right(self):
        report = checked(Descent, properties=["P8"])
        assert [each.outcome for each in report.findings] == ["passed", "not applicable"]
        assert not report.ok and "NOT right, for nothing was examined" in str(report)

    def test_a_property_of_formulas_says_so_where_there_is_none(self):
        report = checked(Descent, None, properties=["P1", "P2"])
        assert report["P1"].outcome == "not applicable" and "pass spec=" in report["P1"].reason and report.ok
        assert [each.property_id for each in checked(Descent, None).findings] == ["P0", *AGNOSTIC]


@pytest.mark.parametrize(
    ("settings", "kind", "message"),
    [
        ({"hyperparameters": [1]}, TypeError, r"hyperparameters must be a dict with names for keys, got \[1\]"),
        ({"hyperparameters": {"lr": 0.1, "foo": 3}, "spec": None}, ValueError, "make\\(\\) takes no foo"),
        ({"seed": None}, TypeError, "seed must be a whole number of at least 0, got None"),
        ({"seed": -1}, ValueError, "seed must be a whole number of at least 0, got -1"),
        ({"max_examples": -1}, ValueError, "max_examples must be a whole number of at least 0, got -1"),
        ({"max_examples": 2.5}, TypeError, "max_examples must be a whole number"),
        ({"timeout": 0}, ValueError, "timeout must be above 0 and finite"),
        ({"timeout": "3"}, TypeError, "timeout must be a number of seconds"),
        ({"properties": "P1"}, TypeError, "properties must be a list of ids"),
        ({"properties": []}, ValueError, "properties names none"),
        ({"dtype": "foo"}, ValueError, "dtype must be float32 or float64, got 'foo'"),
        ({"expected_failures": ["P9"]}, TypeError, "expected_failures must be a dict"),
        ({"expected_failures": {"P9": ""}}, TypeError, "must give a reason for each property"),
        ({"reference": 3}, TypeError, "reference must be callable"),
    ],
)
def test_wrong_arguments_are_named(settings, kind, message):
    with pytest.raises(kind, match=message):
        verify.check_optimizer(Descent, **{"spec": "sgd", "hyperparameters": {"lr": 0.1}, **settings})


def test_the_lesson_of_a_shared_state_can_be_followed():
    mutant = MUTANTS["LoadedStateIsAliased"]
    finding = verify.check_optimizer(mutant.build(), mutant.spec, properties=["P8"], max_examples=0)["P8"]
    assert finding.where.startswith("saved = a.get_state() after the first gradients; b.set_state(saved), and b steps")
    make, example = mutant.build(), finding.example
    grads = [np.array(g, np.float32) for g in example["gradients"][0]]
    a, b = (make([np.array(p, np.float32) for p in example["params"]], **example["hyperparameters"]) for _ in "ab")
    a.step(grads)
    saved = a.get_state()
    array = next(value for value in saved["state"][0].values() if isinstance(value, np.ndarray))
    before = str(array.flat[0])
    b.set_state(saved)
    b.step(grads)
    assert [before, str(array.flat[0])] == [finding.expected, finding.actual]


class Stateful(adapters.Naive):
    """A state that is not in torch's layout."""

    shown = None

    def get_state(self):
        return self.shown

    def set_state(self, state):
        pass


@pytest.mark.parametrize("shown", [None, [1, 2], {"state": {0: 5}}, {"state": {0: {"step": "three"}}}])
def test_a_state_of_another_layout_is_no_error(shown):
    make = adapters.naive("sgd", type("Odd", (Stateful,), {"shown": shown}))
    report = verify.check_optimizer(make, verify.spec("sgd"), max_examples=0)
    assert report.ok, str(report)
    assert report["P1"].outcome == "passed", "from a fresh state"
    assert report["P8"].reason == "get_state() holds no array that could be shared"
    assert "as get_state() is not in torch's layout" in report["P9"].reason
    assert report["P7"].reason.startswith("not examined: hyperparameters") and report["P33"].outcome == "not applicable"


class Renamed(adapters.Naive):
    """A state whose arrays have names of its own."""

    def get_state(self):
        state = super().get_state()
        for entry in state["state"].values():
            for name in [key for key in entry if key != "step"]:
                entry[f"my_{name}"] = entry.pop(name)
        return state


class Halved(Renamed):
    """And half of what the formula has."""

    def get_state(self):
        state = super().get_state()
        for entry in state["state"].values():
            entry |= {name: value / 2 for name, value in entry.items() if name.startswith("my_")}
        return state


def test_arrays_of_other_names_are_found_by_their_values_or_pass_nothing():
    def outcomes(kind):
        make = adapters.naive("adam", kind)
        return verify.check_optimizer(make, "adam", max_examples=0, properties=["P24", "P29"]).findings[1:]

    assert [each.outcome for each in outcomes(Renamed)] == ["passed"] * 2
    monotone, memory = outcomes(Halved)
    assert monotone.outcome == memory.outcome == "not applicable"
    assert "my_exp_avg" in monotone.reason and "shows none of exp_avg, exp_avg_sq" in memory.reason


def test_company_is_examined_without_missing_gradients_where_there_are_none():
    honest = adapters.naive("sgd")

    def make(params, **hyperparameters):
        subject = honest(params, **hyperparameters)
        step = subject.step

        def no_missing(grads):
            assert all(g is not None for g in grads)
            step(grads)

        subject.step = no_missing
        return subject

    make.missing_gradients, make.mixes_dtypes = False, False
    finding = verify.check_optimizer(make, "sgd", properties=["P5"], max_examples=0)["P5"]
    assert (
        finding.outcome == "passed"
        and "without a gradient, which it does not know or of another dtype" in finding.reason
    )


class Threaded(Descent):
    """Whose bits depend on the number of threads, where a parameter is long enough for several."""

    threads = 1

    def step(self, grads):
        for p, g in zip(self.params, grads, strict=True):
            if g is not None:
                p -= p.dtype.type(self.lr) * g * p.dtype.type(1 + 1e-3 * (self.threads > 1 and p.size > 100))


def test_p2_takes_the_number_of_threads_where_the_maker_sets_it():
    class Threads:
        least_size = 20_000

        def __call__(self, count):
            Threaded.threads = count
            return self

        def __enter__(self):
            pass

        def __exit__(self, *_):
            Threaded.threads = 1

    def make(params, lr=0.1):
        return Threaded(params, lr)

    alone = checked(make, properties=["P2"])["P2"]
    assert alone.outcome == "passed" and "not examined: numbers of threads" in alone.reason
    make.threads = Threads()
    finding = checked(make, properties=["P2"])["P2"]
    assert finding.outcome == "failed" and "three threads in place of one" in finding.where, str(finding)
    assert finding.example["params"][0].startswith("numpy.resize(") and len(str(finding)) < 1500
