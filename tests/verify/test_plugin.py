"""The pytest plugin: what is marked becomes tests; what is not costs nothing."""

import ast
import importlib.util
from pathlib import Path

import pytest
from verify_cases import DESCENT

FILE = Path(__file__).parents[2] / "tinygrad_lr_pytest.py"
described = importlib.util.spec_from_file_location("tinygrad_lr_pytest_tested", FILE)
plugin = importlib.util.module_from_spec(described)
described.loader.exec_module(plugin)

MINE = (
    DESCENT
    + """
import pytest
settings = dict(hyperparameters={"lr": 0.1}, max_examples=0, properties=["P2", "P8", "P14"])

@pytest.mark.verify_optimizer(spec="sgd", **settings)
class Absolute(Descent):
    def used(self, g):
        return abs(g)

class Inherits(Absolute):
    "the mark is its parent's"

@pytest.mark.verify_optimizer("sgd", expected_failures={"P14": "takes |g|"}, **settings)
def factory(params, lr=0.1):
    return Absolute(params, lr)

@pytest.fixture
def optimizer():
    return Descent

@pytest.mark.verify_optimizer(spec="sgd", dialect="torch", **settings)
def test_of_a_fixture(optimizer):
    return optimizer

@pytest.mark.verify_schedule(total_steps=12)
def falls_below_zero(step):
    return 1 - step / 10

@pytest.mark.verify_schedule("polynomial", total_steps=10)
def straight(step):
    return max(1 - step / 10, 0.0)

def test_of_its_own():
    assert True
"""
)


class Listener:
    """Keeps how each test ended."""

    def __init__(self):
        self.ends, self.texts = {}, {}

    def pytest_runtest_logreport(self, report):
        if report.when == "call" or report.outcome == "skipped":
            name = report.nodeid.partition("::")[2]
            outcome = "xfailed" if hasattr(report, "wasxfail") else report.outcome
            self.ends[name], self.texts[name] = outcome, report.longreprtext


def run(folder, text, *more):
    (folder / f"test_of_{folder.name}.py").write_text(text, "utf-8")  # a module's name of its own
    (folder / "pytest.ini").write_text("[pytest]\n", "utf-8")
    listener = Listener()
    options = ["-q", "-p", "no:cacheprovider", "-p", "no:tinygrad_lr", "-p", "no:xdist", "--import-mode=importlib"]
    status = pytest.main([*options, "-c", str(folder / "pytest.ini"), str(folder), *more], plugins=[plugin, listener])
    return status, listener


def test_a_marked_optimizer_is_a_test_for_each_property(tmp_path, capsys):
    status, listener = run(tmp_path, MINE, "--strict-markers")
    out = capsys.readouterr().out
    assert status == 1, out
    assert listener.ends == {
        "Absolute::P2-repeatability": "passed",
        "Absolute::P8-state-is-copied": "skipped",
        "Absolute::P14-mirror-image": "failed",
        "factory::P2-repeatability": "passed",
        "factory::P8-state-is-copied": "skipped",
        "factory::P14-mirror-image": "xfailed",
        "test_of_a_fixture[P2-repeatability]": "passed",
        "test_of_a_fixture[P8-state-is-copied]": "skipped",
        "test_of_a_fixture[P14-mirror-image]": "passed",
        "falls_below_zero::schedule": "failed",
        "straight::schedule": "passed",
        "test_of_its_own": "passed",
    }, out
    lesson = listener.texts["Absolute::P14-mirror-image"]
    assert lesson.startswith("P14  failed: Negating theta") and "expected" in lesson and "suite.py" not in lesson
    assert "The rate leaves its range" in listener.texts["falls_below_zero::schedule"]


@pytest.mark.parametrize(
    ("mark", "message"),
    [
        ('verify_optimizer(spec="adamm")', "did you mean"),
        ('verify_optimizer(spec="adam", dialect="caffe")', "dialect"),
        ('verify_optimizer(dialect="torch")', "dialect= needs spec="),
        ("verify_optimizer(optimizer=3)", "verify_optimizer takes no optimizer; it takes spec, expected_failures"),
        ('verify_optimizer(spec="sgd", properties=["P99"])', "no property is called P99"),
    ],
)
def test_a_mark_that_is_wrong_says_why(mark, message, tmp_path, capsys):
    text = f"import pytest\n@pytest.mark.{mark}\ndef factory(params, lr=0.1):\n    return None\n"
    status, _ = run(tmp_path, text)
    assert status != 0 and message in capsys.readouterr().out


def test_pytest_starts_without_the_package():
    """The file's own imports are the standard library's and pytest: the package is imported in functions."""
    at_once = {
        name.name if isinstance(node, ast.Import) else node.module
        for node in ast.parse(FILE.read_text("utf-8")).body
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for name in node.names
    }
    assert at_once <= {"__future__", "inspect", "collections.abc", "typing", "pytest"}
