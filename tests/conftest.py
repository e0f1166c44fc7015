"""For the whole suite: the deep searches and their samples, Hypothesis profiles, and the marker for real GPUs."""

import gc
import os
from collections import defaultdict
from datetime import date
from typing import Any

import pytest
from browser import chromium, open_page, windows  # noqa: F401  (fixtures)
from hypothesis import HealthCheck, settings
from laboratory import laboratory_page, opened  # noqa: F401  (fixtures)
from searches import SAMPLED_EXAMPLES, Searches, in_part

from tinygrad_lr import cuda, manual_seed

collect_ignore = ["optim/toy"]  # test_registration.py registers it, and no other test may find it registered
SEARCHES = pytest.StashKey[Searches]()
CONFIGURATIONS, RULES = "configurations", "tests of single optimizers"
ONE_RULE_IN = 12
SWITCHED_ON = ("1", "true", "yes")

slow_is_fine = [HealthCheck.too_slow, HealthCheck.data_too_large]
in_ci = bool(os.environ.get("CI"))
# Uncompiled, a loop over elements takes a hundred times longer, and the compiled mode runs the same checks.
most = 24 if os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0") else 50
settings.register_profile("default", deadline=None, max_examples=50, suppress_health_check=slow_is_fine)
settings.register_profile("ci", settings.get_profile("default"), derandomize=True, max_examples=most)
settings.register_profile("sample", settings.get_profile("default"), derandomize=in_ci, max_examples=SAMPLED_EXAMPLES)
settings.register_profile("deep", settings.get_profile("default"), max_examples=5000)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("deep searches")
    group.addoption(
        "--deep",
        action="store_true",
        default=os.environ.get("TINYGRAD_LR_DEEP", "").lower() in SWITCHED_ON,
        help="run all mutants, configurations and examples; without it, a sample of them (or set TINYGRAD_LR_DEEP=1)",
    )
    group.addoption(
        "--deep-seconds",
        type=float,
        default=float("inf"),
        metavar="SECONDS",
        help="begin no deep test after so many seconds; the last lines say how many did not run",
    )
    group.addoption(
        "--sample",
        type=int,
        default=None,
        metavar="PART",
        help="which sample runs without --deep: any whole number; by default 0 where CI is set, else the day's",
    )


def pytest_configure(config: pytest.Config) -> None:
    # Numba, Hypothesis and pytest itself make very many objects, and next to no garbage that only a search would find.
    gc.set_threshold(50_000, *gc.get_threshold()[1:])
    option = config.option
    if option.sample is None:
        option.sample = 0 if in_ci else date.today().toordinal()  # workers of xdist are handed it
    config.stash[SEARCHES] = Searches(option.deep, option.sample, option.deep_seconds)
    profile = "sample" if not option.deep else "ci" if in_ci else "default"
    settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or profile)


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """No workers for single files, whose tests would wait for them, or where a person reads what tests print."""
    one_process = config.option.capture == "no" or any(".py" in argument for argument in config.args)
    return 0 if one_process else None  # xdist counts the cores


@pytest.fixture(scope="session")
def searches(pytestconfig: pytest.Config) -> Searches:
    """For a test that goes through a list of its own: which of it to take (a deep test)."""
    return pytestconfig.stash[SEARCHES]


def pytest_itemcollected(item: pytest.Item) -> None:
    """`pytest -m deep` runs the tests of which `--deep` runs more."""
    examples = getattr(getattr(item, "obj", None), "is_hypothesis_test", False)
    if examples or item.get_closest_marker("sampled") or "searches" in getattr(item, "fixturenames", ()):
        item.add_marker(pytest.mark.deep)


def pytest_runtest_setup() -> None:
    """First weights and unseeded orders are the same in every run too."""
    manual_seed(0)


@pytest.hookimpl(trylast=True)  # after -k and -m
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    _skip_without_gpu(items)
    _keep_some_rules(config, items)
    _keep_sample(config, items)


def _skip_without_gpu(items: list[pytest.Item]) -> None:
    """A green simulator never counts as evidence of a GPU: tests marked `gpu` run on hardware only, or say why not."""
    gpu_tests = [item for item in items if item.get_closest_marker("gpu")]
    if gpu_tests and (cuda.is_simulated() or not cuda.is_available()):
        reason = f"needs a real GPU; CUDA here is {cuda.state()}"
        for item in gpu_tests:
            item.add_marker(pytest.mark.skip(reason=reason))


def _keep_some_rules(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Of the tests that a function makes of optimizers, those of the article's and of one in twelve of the others.

    Which ones depends on the function, so that all together see every optimizer. Named tests and deep runs are whole.
    """
    searches = config.stash[SEARCHES]
    functions: dict[str, dict[str, list[pytest.Item]]] = defaultdict(lambda: defaultdict(list))
    for item in items:
        if rule := rule_of(getattr(getattr(item, "callspec", None), "params", {})):
            functions[item.nodeid.partition("[")[0]][rule].append(item)
    left_out: set[pytest.Item] = set()
    for function, rules in functions.items():
        kept = in_part(searches.part, list(rules), ONE_RULE_IN, lambda rule, f=function: f"{f} {rule}", lambda _: None)
        left_out |= {item for rule in set(rules) - set(kept) for item in rules[rule]}
    count = sum(len(members) for rules in functions.values() for members in rules.values())
    whole = searches.deep or any("[" in argument for argument in config.args)
    if _worker(config) in ("", "gw0") and count:
        searches.count(RULES, count if whole else count - len(left_out), count)
    if not whole:
        config.hook.pytest_deselected(items=list(left_out))
        items[:] = [item for item in items if item not in left_out]


def rule_of(params: dict[str, Any]) -> str:
    """The optimizer that a test's parameters name; empty where they name none, one of the article's, or one that was
    registered from outside."""
    from tinygrad_lr.optim.table import OPTIMIZERS
    from tinygrad_lr.verify.formulas import FAMILIES

    for value in params.values():
        if isinstance(value, type):
            name = next((name for name, cls in OPTIMIZERS.items() if cls is value), "")
        else:
            name = getattr(value, "module", value)  # of a kernel: its file
        name = name.rpartition(".")[2] if isinstance(name, str) else ""
        if name in FAMILIES:
            outside = name in OPTIMIZERS.rows and bool(OPTIMIZERS.rows[name].formula)
            return "" if outside or "article" in FAMILIES[name].dialects else name
    return ""


def _keep_sample(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Of the functions marked `sampled`, the configurations in the sample; all that are named on the command line."""
    searches = config.stash[SEARCHES]
    functions: dict[str, list[pytest.Item]] = defaultdict(list)
    for item in items:
        if item.get_closest_marker("sampled"):
            functions[item.nodeid.partition("[")[0]].append(item)
    outside: set[pytest.Item] = set()
    for members in functions.values():
        outside |= set(members) - set(_in_sample(searches.part, members))
    if _worker(config) in ("", "gw0"):  # every worker of xdist collects the same tests
        searches.count(CONFIGURATIONS, 0, sum(map(len, functions.values())))
    if searches.deep:
        items.sort(key=lambda item: item not in outside)  # first what no sample of this day has run
    elif not any("[" in argument for argument in config.args):
        config.hook.pytest_deselected(items=[item for item in items if item in outside])
        items[:] = [item for item in items if item not in outside]


def _in_sample(part: int, members: list[pytest.Item]) -> list[pytest.Item]:
    """One in `one_in` of a function's configurations, and at least one for all values of the parameters in `each`."""
    mark = members[0].get_closest_marker("sampled")
    one_in, each = mark.kwargs["one_in"], mark.kwargs.get("each", ())
    return in_part(
        part,
        members,
        one_in,
        key=lambda item: item.name,
        group=lambda item: tuple(repr(item.callspec.params[name]) for name in each),
    )


def pytest_collection_finish() -> None:
    """Twenty thousand tests, and what they imported, stay until the end. Without this, every full search for garbage
    goes through them again and takes half a second; pytest itself makes five after a run inside a test."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> bool | None:
    """Begins no deep test after `--deep-seconds`."""
    searches = item.config.stash[SEARCHES]
    if not item.get_closest_marker("deep"):
        return None
    runs = not searches.time_is_up()
    if item.get_closest_marker("sampled"):
        searches.count(CONFIGURATIONS, int(runs), 0)
    if item.config.option.deep_seconds < float("inf"):
        searches.count("tests within the time", int(runs), 1)
    return None if runs else True


def _worker(config: pytest.Config) -> str:
    """The name of this process among the workers of xdist; empty where it is not one of them."""
    return getattr(config, "workerinput", {}).get("workerid", "")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker of xdist hands over what it counted."""
    if _worker(session.config):
        searches = session.config.stash[SEARCHES]
        session.config.workeroutput["searches"] = [dict(searches.ran), dict(searches.total)]  # type: ignore[attr-defined]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """The main process of xdist adds up what the workers counted; one that was killed hands over nothing."""
    searches = node.config.stash[SEARCHES]
    ran, total = getattr(node, "workeroutput", {}).get("searches", ({}, {}))
    searches.ran.update(ran)
    searches.total.update(total)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Says how much of the deep searches ran. Nothing is left out in silence."""
    searches = config.stash[SEARCHES]
    if searches.total:
        terminalreporter.write_line(searches.report(settings.default.max_examples))
