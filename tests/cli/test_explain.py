"""`tinygrad-lr explain`: every optimizer and schedule, its numbers against the formula and the 50-digit oracle."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tinygrad_lr import cli
from tinygrad_lr.schedules import SCHEDULES
from tinygrad_lr.settings import setting
from tinygrad_lr.verify.documents.explain import GRADIENTS, THETA, explain
from tinygrad_lr.verify.documents.formulas import document
from tinygrad_lr.verify.documents.text import table
from tinygrad_lr.verify.formulas import FAMILIES
from tinygrad_lr.verify.formulas.schedules import REFERENCES, reference_of
from tinygrad_lr.verify.language.notation import names_in
from tinygrad_lr.verify.specification import spec


@pytest.mark.parametrize(("name", "dialect"), [(name, d) for name, row in FAMILIES.items() for d in row.dialects])
def test_every_optimizer_is_explained_and_its_table_is_the_formula(name, dialect):
    text = explain(name, dialect=dialect)
    specification = spec(name, dialect=dialect)
    assert specification.source in text and f"dialect {dialect}" in text
    assert all(line in text for line in specification.lines())
    assert all(other in text for other in specification.dialects)
    rows = [line.split() for line in text.split("First steps")[1].splitlines()[1:]]
    assert rows[0][0] == "t" and rows[0][-2:] == ["update", "theta"] and len(rows) == 1 + len(GRADIENTS)
    if not FAMILIES[name].elementwise:
        return
    theta, state = THETA, specification.initial_state(THETA)
    for t, (row, g) in enumerate(zip(rows[1:], GRADIENTS, strict=True), start=1):
        before, (theta, state) = theta, specification.step(theta, g, state, t)
        shown = dict(zip(rows[0], row, strict=True))
        np.testing.assert_allclose(float(shown["theta"]), theta, rtol=1e-4)
        np.testing.assert_allclose(float(shown["update"]), theta - before, rtol=1e-4, atol=1e-12)
        for key, value in state.items():
            symbol = FAMILIES[name].symbols[key]
            if symbol not in shown:  # what it started with, or what callers give between steps: no line assigns it
                known = {
                    "theta_0": THETA,
                    "lr_0": specification["lr"],
                    "h": specification.settings.get("initial_hessian"),
                }
                assert value == known[symbol]
                continue
            np.testing.assert_allclose(float(shown[symbol]), value, rtol=1e-4, atol=1e-12)
        for i, beta in enumerate(specification["betas"] if "1-beta1^t" in shown else (), start=1):
            if f"1-beta{i}^t" in shown:
                np.testing.assert_allclose(float(shown[f"1-beta{i}^t"]), 1 - beta**t, rtol=1e-4)


def test_the_table_shows_gradient_moments_corrections_and_update():
    head = explain("adam", dialect="torch").split("First steps")[1].splitlines()[1].split()
    assert head == ["t", "g", "m", "v", "m^", "v^", "1-beta1^t", "1-beta2^t", "update", "theta"]


def test_switches_bring_their_lines():
    assert "w <- max(w, v)" not in explain("adam")
    assert "w <- max(w, v)" in explain("adam", amsgrad=True)
    assert "optax: m^ = m / (1 - beta1^t); v^ = v / (1 - beta2^t); w <- max(w, v^)" in explain("adam", amsgrad=True)


@pytest.mark.parametrize("name", REFERENCES)
def test_every_schedule_is_explained_by_its_oracle(name):
    row = reference_of(name)
    assert row.source in explain(name) and all(line in explain(name) for line in row.lines)
    assert ("No schedule of tinygrad_lr" in explain(name)) == (name not in SCHEDULES)
    for label, options in {"": {}, **(row.variants or {})}.items():
        assert "; ".join(row.lines_with(**options)) in explain(name) or not label, label
        for step, values in zip(range(16), row.worked_steps(range(16), **row.example, **options), strict=True):
            low, high = row.enclosure(step, **row.checked({**row.example, **options}))
            assert float(low) - 1e-14 <= values["f"] <= float(high) + 1e-14, (label, step)
            if name in SCHEDULES and not label:
                assert abs(float(SCHEDULES[name].build(**row.example)(step)) - values["f"]) < 1e-14


def test_a_wrong_schedule_line_would_be_seen():
    row = REFERENCES["cosine"]
    low, high = REFERENCES["linear"].enclosure(2, total_steps=8, start=1.0, end=0.0)
    assert not float(low) - 1e-14 <= row.worked_steps([2], **row.example)[0]["f"] <= float(high) + 1e-14


def test_latex_for_documents():
    assert explain("sgd", latex=True) == "\\begin{align*}\n\\theta &\\leftarrow \\theta - \\eta \\, g\n\\end{align*}"
    assert r"f &= f_{\mathrm{end}} + \frac{" in explain("cosine", latex=True)
    for name in [*FAMILIES, *REFERENCES]:
        text = explain(name, latex=True)
        assert text.count("{") == text.count("}") and all("&" in line for line in text.splitlines()[1:-1])
        assert text.count(r"\left") - text.count(r"\leftarrow") == text.count(r"\right")


def test_the_document_is_what_the_command_writes():
    path = Path(__file__).parents[2] / "docs" / "formulas.md"
    assert path.read_text(encoding="utf-8") == document(), (
        "python -m tinygrad_lr.verify.documents.formulas > docs/formulas.md"
    )


# Symbols that are no setting and no state: the parameter, its gradient, the step, and constants.
PLAIN = {"theta", "g", "t", "pi", "s", "f"}


@pytest.mark.parametrize(("name", "dialect"), [(name, d) for name, row in FAMILIES.items() for d in row.dialects])
def test_every_symbol_of_a_formula_is_explained(name, dialect):
    """A setting or state of its own name, in the legend, or a quantity that a line defines."""
    chosen = spec(name, dialect=dialect)
    lines = chosen.lines()
    defined = {line.replace(" <- ", " = ").split(" = ")[0] for line in lines}
    legend = {symbol for symbols in chosen.legend().values() for symbol in symbols}
    used = {symbol for line in lines for symbol in names_in(line)}
    assert used <= legend | defined | PLAIN | set(chosen.all_names), used
    for key, symbols in chosen.legend().items():
        if symbols != (key,):
            assert f"{', '.join(symbols)} = {key}" in explain(name, dialect=dialect)


def test_the_symbols_of_the_document_are_explained_where_they_stand():
    text = document()
    nadam = text.split("### NAdam")[1].split("###")[0]
    assert r"$\psi$ = `momentum_decay`" in nadam and r"$\beta_{1}$, $\beta_{2}$ = `betas`" in nadam
    for name, row in REFERENCES.items():
        part = text.split(f"`{name}`. Source")[1].split("###")[0]
        assert all(f"`{argument}`" in part for argument in row.symbols), name
        lines = [line for options in ({}, *(row.variants or {}).values()) for line in row.lines_with(**options)]
        used = {symbol for line in lines for symbol in names_in(line)}
        known = {*(row.option_symbols or {}).values(), "W", "f_w"} | {
            each for symbols in row.symbols.values() for each in ([symbols] if isinstance(symbols, str) else symbols)
        }
        assert used <= known | PLAIN | {line.split(" = ")[0] for line in lines}, name


def test_the_document_is_math_that_github_takes():
    """Its renderer refuses \\operatorname; the end value of a schedule is no Euler's number."""
    assert "operatorname" not in document() and r"\mathrm{sign}" in document()
    assert r"f &= {f_{\mathrm{end}}}^{p}" in document() and "e^{p}" not in document()


def test_a_schedule_in_the_dialect_of_a_library():
    assert "p = s / T\n" in explain("cosine", dialect="torch") and "p = s / T\n" not in explain("cosine")
    assert r"p &= \frac{s}{T}" in explain("cosine", dialect="torch", latex=True)
    assert "f_w = warmup_start" in explain("polynomial") and "u = max(s - W, 0)" in explain(
        "polynomial", warmup_steps=2
    )


def test_mistakes_are_answered_with_what_there_is():
    with pytest.raises(ValueError, match="did you mean 'adamax' or"):
        explain("adamx")
    with pytest.raises(ValueError, match="Schedules: constant, .*wsd"):
        explain("zzz")
    with pytest.raises(ValueError, match="the dialect of a schedule is one of torch"):
        explain("cosine", dialect="tensor")
    with pytest.raises(ValueError, match="no argument"):
        explain("cosine", power=2)
    with pytest.raises(ValueError, match="expected NAME=VALUE"):
        setting("amsgrad")
    assert table([["a"], ["b"]]) == "  a\n  b"


def test_the_command(capsys):
    assert cli.main(["explain", "adam", "--dialect", "torch", "--set", "amsgrad=true", "weight_decay=0.1"]) == 0
    assert "w <- max(w, v)" in capsys.readouterr().out
    assert cli.main(["explain", "WSD", "--set", "warmup_steps=100", "stable_steps=10"]) == 0
    assert "Hu et al." in capsys.readouterr().out
    assert cli.main(["explain", "lamb", "--latex"]) == 0
    assert capsys.readouterr().out.startswith("\\begin{align*}")
    assert cli.main(["explain", "adm"]) == 2
    assert "did you mean 'adam'" in capsys.readouterr().err
    assert cli.main(["explain", "adam", "--dialect", "jax"]) == 2
    assert "has the dialects article, torch" in capsys.readouterr().err
    assert cli.main(["explain", "adam", "--set", "beta"]) == 2
    assert "expected NAME=VALUE" in capsys.readouterr().err


def test_explaining_needs_no_numba():
    code = (
        "import sys; sys.modules['numba'] = None; from tinygrad_lr import cli; "
        "raise SystemExit(cli.main(['explain', 'adam']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0 and "Kingma" in done.stdout, done.stderr
