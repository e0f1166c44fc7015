"""The command line: train, lr-find, inspect, predict, explain, schedule, race, lab, verify, warmup and info.

Only arguments and errors are dealt with here; commands.py runs most commands. Nothing heavy is imported before a
command runs, so that `--help` answers at once. Exit codes: 0 all is well, 1 the training diverged, 2 something the user
can put right (a line on standard error says what), 130 after Ctrl-C, 143 and 129 after SIGTERM and SIGHUP.
"""

from __future__ import annotations

import argparse
import dataclasses
import gc
import io
import re
import sys
import warnings
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from typing import Any, NoReturn

from tinygrad_lr import __version__
from tinygrad_lr.optim.table import OPTIMIZERS, STATE_DTYPES
from tinygrad_lr.training.tables.formats import FORMATS
from tinygrad_lr.training.tables.kinds import Flag, Hyperparameters, Kind, Number, Texts, Whole, invalid_choice
from tinygrad_lr.training.tables.options import Options, as_flag, known_options

from .argument_types import names, number, of_kind, shown, text, whole_number
from .chosen import INSPECTED, READ_AS, READ_AS_NUMBERS
from .printing import drop, fail, printable, safe_warnings, say

__all__ = ["fail", "main", "parser", "program"]


_POINTING = re.compile(r"\n  [^\n]*\n *\^$")


class Parser(argparse.ArgumentParser):
    """A parser whose errors hold no control characters."""

    def error(self, message: str) -> NoReturn:
        """Print the usage and the message, and exit with code 2."""
        first, pointing = message, ""
        if found := _POINTING.search(message):  # lines of our own, under which a caret points at the place
            first, pointing = message[: found.start()], found[0]
        super().error("\n".join([printable(first), *map(printable, pointing.split("\n")[1:])]))


class _WithList(argparse.HelpFormatter):
    """Help whose last part, a list, keeps its lines."""

    def add_text(self, text: str | None) -> None:
        if text and "\n" in text:
            self._add_item(lambda: f"{text}\n", [])
        else:
            super().add_text(text)


def parser() -> argparse.ArgumentParser:
    """The parser of the whole command line."""
    whole = Parser(
        prog="tinygrad-lr",
        description="Train linear models and small networks on tables, with learning rates you can see.",
    )
    whole.add_argument("--version", action="version", version=f"tinygrad_lr {__version__}")
    commands = whole.add_subparsers(dest="command", metavar="COMMAND", required=True)
    _add_train(commands)
    _add_lr_find(commands)
    _add_inspect(commands)
    _add_predict(commands)
    _add_explain(commands)
    _add_schedule(commands)
    _add_race(commands)
    _add_lab(commands)
    _add_verify(commands)
    _add_warmup(commands)
    info = commands.add_parser("info", help="print versions, backend, threads, cache folder and CUDA state")
    info.add_argument(
        "--timings",
        action="store_true",
        help="also measure imports and first steps, in new processes, with an empty and a filled cache",
    )
    return whole


def _add_train(commands: Any, summary: str = "train a model on a table and leave it in a folder") -> None:
    train = commands.add_parser(
        "train",
        help=summary,
        formatter_class=_WithList,
        epilog=_listed(),
        description="Train a linear model or a small network on a table, to predict numbers or classes; without a "
        "table, the article's Linear(10, 1) on diabetes data.",
    )
    train.add_argument(
        "table",
        nargs="?",
        type=text,
        metavar="TABLE",
        help="a file whose first line names the columns, or - for standard input (default: the diabetes data)",
    )
    add_options(train)
    add = train.add_argument_group("output").add_argument
    add(
        "--out", type=text, metavar="FOLDER", help="where the run goes (default: runs/TABLE, or runs/TABLE-2 and so on)"
    )
    add("--force", action="store_true", help="replace the run that lies in FOLDER, or what is left of one")
    add(
        "--resume",
        type=text,
        metavar="FOLDER",
        help="go on with the run in FOLDER, which was killed or interrupted, as if it had never stopped",
    )
    add("--json", action="store_true", help="print one JSON object of the result, and nothing else")
    add("--quiet", action="store_true", help="print nothing but warnings and errors")
    either = train.add_mutually_exclusive_group()
    either.add_argument(
        "--compiled",
        action="store_true",
        help="run whole epochs as machine code, compiled once for a model and a size of batches; the default on a CPU "
        "for trainings of 10,000 steps or more, in which the seconds that compiling takes are won back",
    )
    either.add_argument(
        "--eager",
        action="store_true",
        help="run step by step in Python; the default for shorter trainings, and on cuda",
    )
    add("--show-compiled", action="store_true", help="print the file that is compiled for this model, and stop")


def _add_lr_find(commands: Any) -> None:
    find = commands.add_parser(
        "lr-find",
        help="look for a learning rate for a training, and leave nothing else",
        formatter_class=_WithList,
        epilog=_listed(),
        description="Make the first steps of the training that `train` with the same options would do, at rates that "
        "rise from step to step; draw the loss over the rate, and suggest a rate with the rule that chose it. The "
        "rates take the place of --lr and --schedule, and --points that of --steps and --epochs: these, and what "
        "concerns the end of a training, may be given and change nothing.",
    )
    find.add_argument(
        "table", nargs="?", type=text, metavar="TABLE", help="as for `train` (default: the diabetes data)"
    )
    add_options(find)
    add = find.add_argument_group("the rates").add_argument
    add("--from", dest="start", type=number(0), default=1e-7, metavar="RATE", help="the first (default: %(default)s)")
    add("--to", dest="end", type=number(0), default=10.0, metavar="RATE", help="the last (default: %(default)s)")
    add("--points", type=whole_number(1), default=100, metavar="N", help="how many steps (default: %(default)s)")
    add("--linear", action="store_true", help="rise by equal steps (default: by equal factors)")
    add("--out", type=text, metavar="FILE", help="also draw a picture, .png, .svg or .pdf (needs matplotlib)")
    find.set_defaults(compiled=False, eager=True)  # a hundred steps pay for no compiling


def add_options(parser: argparse.ArgumentParser, *names: str) -> None:
    """Add the options of a training as arguments: those of these names, or all but `compiled`, each in its group."""
    known, own = known_options(), {each.name: each for each in dataclasses.fields(Options)}
    groups: dict[str, Any] = {}
    for name in names or [each for each in known if each != "compiled"]:
        about = known[name]
        if about.group not in groups:
            groups[about.group] = parser.add_argument_group(about.group)
        if isinstance(about.kind, Flag):
            groups[about.group].add_argument(as_flag(name), action="store_true", help=about.help)
            continue
        field = own[name]
        default = field.default_factory() if callable(field.default_factory) else field.default
        help = f"{about.help}; see the list below" if name == "optimizer" else about.help
        choices = ",".join(getattr(about.kind, "choices", ()))
        metavar = about.metavar or (f"{{{choices}}}" if choices else None)
        groups[about.group].add_argument(
            as_flag(name),
            action=_action(about.kind),
            type=of_kind(about.kind),
            default=default,
            metavar=metavar,
            help=help,
        )


def _add_predict(commands: Any) -> None:
    predict = commands.add_parser(
        "predict",
        help="predict the target of a table with a trained model",
        description="Write one line for each row, in the table's order. Columns are found by name; the target may be "
        "absent or blank. Missing values and categories that the training rows did not have are counted.",
    )
    add = predict.add_argument
    add("folder", type=text, metavar="FOLDER", help="a folder that `tinygrad-lr train` left")
    add("table", type=text, metavar="TABLE", help="a table with the columns of the training table, or - for input")
    add("--out", type=text, metavar="FILE", help="write here instead of to standard output")
    add(
        "--format",
        choices=tuple(FORMATS),
        help="csv, or jsonl: an object for each row (default: by FILE's name, else csv)",
    )
    add(
        "--keep",
        action="extend",
        type=names,
        default=[],
        metavar="COLUMNS",
        help="write these columns of the table beside",
    )
    add("--probabilities", action="store_true", help="also write the probability of each class, a column for each")
    add(
        "--strict",
        action="store_true",
        help="refuse a category or a missing value where the training rows had none (default: count them)",
    )
    add_options(predict, *READ_AS)
    add("--quiet", action="store_true", help="print nothing but the predictions, warnings and errors")
    add(
        "--force",
        action="store_true",
        help="replace FILE where it exists; predict also with a model whose training diverged",
    )


def _add_inspect(commands: Any) -> None:
    inspect = commands.add_parser(
        "inspect",
        help="print what each column of a table would become, and train nothing",
        description="Print a line for each column: what it is, what was recognised in its texts, how many values are "
        "missing and what becomes of them, which columns are left out and why.",
    )
    inspect.add_argument("table", type=text, metavar="TABLE", help="a table, or - for standard input")
    add_options(inspect, *INSPECTED)


def _action(kind: Kind) -> Any:
    """What several arguments of one name do: --ignore a --ignore b are both, and so are --set a=1 --set b=2."""
    if isinstance(kind, Hyperparameters):
        return _Together
    return "extend" if isinstance(kind, Texts) else "store"


class _Together(argparse.Action):
    """Puts the dicts that several arguments give into one."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        before = getattr(namespace, self.dest)
        for name in values:
            if name in before:
                parser.error(f"argument {option_string}: {name} is set twice; leave one out")
        setattr(namespace, self.dest, {**before, **values})


def _add_explain(commands: Any) -> None:
    explain = commands.add_parser(
        "explain",
        help="print an optimizer's or a schedule's formula, source, dialects and first steps",
        description="Print the formula, where it was published, how dialects differ, and the first steps as numbers.",
    )
    explain.add_argument(
        "name",
        type=text,
        metavar="NAME",
        help="an optimizer (adam), a schedule (cosine, wsd), a property (P26) or file.py:name, a formula of your own",
    )
    explain.add_argument(
        "--dialect", type=text, help="whose form of the optimizer (default: the first that exists for it)"
    )
    explain.add_argument("--latex", action="store_true", help="print only the formula, as LaTeX")
    explain.add_argument(
        "--set",
        nargs="+",
        type=text,
        default=[],
        metavar="NAME=VALUE",
        help="change hyperparameters, for example amsgrad=true betas=(0.8,0.9)",
    )


def _add_schedule(commands: Any) -> None:
    schedule = commands.add_parser(
        "schedule",
        help="draw a schedule's learning rates and print its phases",
        description="Draw the learning rates of a schedule in the terminal, and print its phases. The text is what "
        "`train --schedule` takes: calls such as warmup(5), cosine(95, end=0.1) or wsd(5, 60, 35), joined by `then`, "
        "multiplied by `*`, with the methods .clip(min=0.01), .repeat(3) and .shift(2). Steps are what you count.",
    )
    add = schedule.add_argument
    add("text", type=text, metavar="TEXT", help='for example "warmup(5) then cosine(95)"')
    add("--base-lr", type=number(0), default=1.0, metavar="RATE", help="what the factors are multiplied with")
    add("--until", type=whole_number(0), metavar="N", help="the last step that is drawn (default: the end)")
    add("--table", type=whole_number(2), metavar="N", help="also print a table of N steps")
    add("--out", type=text, metavar="FILE", help="also draw a picture, .png, .svg or .pdf (needs matplotlib)")


def _add_race(commands: Any) -> None:
    race = commands.add_parser(
        "race",
        help="run optimizers x schedules x rates x seeds on one problem, and print how much each needs its rate",
        formatter_class=_WithList,
        epilog=_listed(),
        description="Print, for each optimizer and schedule, the best rate, its loss over the seeds, the loss where "
        "the rate is missed, and how wide a range of rates is good. Rows are sorted by the loss where it is missed. "
        "Ctrl-C ends a race with what is there.",
    )
    add = race.add_argument
    add(
        "problem",
        nargs="?",
        type=text,
        metavar="PROBLEM",
        help="rosenbrock, beale, quadratic(K) with its condition number K, or a table (default: the diabetes data)",
    )
    add("--target", type=text, metavar="COLUMN", help="of a table, the column to predict")
    add_options(race, "hidden")
    add = race.add_argument_group("the race").add_argument
    add(
        "--optimizer",
        action="extend",
        type=names,
        default=[],
        metavar="NAMES",
        help="optimizers with commas between, adam:torch for one of another dialect (default: the first of each family "
        "below that has a rate)",
    )
    add(
        "--schedule",
        action="append",
        type=text,
        default=[],
        metavar="TEXT",
        help="a name or a text that `train --schedule` takes; may be given several times (default: constant, cosine)",
    )
    add(
        "--rates",
        type=grid,
        metavar="RATES",
        help="lowest:highest:count, a constant factor apart, or rates with commas between (default: 1e-4:10:11)",
    )
    add("--seeds", type=whole_number(1), default=3, metavar="N", help="how many (default: %(default)s)")
    add("--steps", type=whole_number(1), default=500, metavar="N", help="of a run (default: %(default)s)")
    add(
        "--within",
        type=number(1),
        metavar="FACTOR",
        help="rates whose loss stays within so many times the best are good (default: 1.1; of functions 10)",
    )
    add("--jobs", type=whole_number(1), default=1, metavar="N", help="processes at once; needs joblib (extra scale)")
    add("--dask", type=text, metavar="ADDRESS", help="run on the Dask cluster of this scheduler (extra scale)")
    add("--out", type=text, metavar="FOLDER", help="leave race.csv, race.json and race.png in a new folder")
    add("--quiet", action="store_true", help="print nothing but warnings and errors")


def _add_lab(commands: Any) -> None:
    lab = commands.add_parser(
        "lab",
        help="write a page in which one sees learning rates work, and open it in the browser",
        description="Write one HTML file, which needs nothing else and makes no request: optimizers, schedules, "
        "batches and groups on surfaces of two parameters, one of them the least squares of two columns of a table. "
        "What it computes are the rules of this package.",
    )
    add = lab.add_argument
    add("table", nargs="?", type=text, metavar="TABLE", help="a table (default: two columns of the diabetes data)")
    add("--target", type=text, metavar="COLUMN", help="the column of numbers to predict")
    add(
        "--features",
        action="extend",
        type=names,
        default=[],
        metavar="A,B",
        help="the two columns of numbers to predict it from (default: the first two that vary)",
    )
    add_options(lab, *READ_AS_NUMBERS)
    add = lab.add_argument_group("the page").add_argument
    add("--out", type=text, metavar="FILE", help="write here (default: lab.html, or lab-2.html and so on)")
    add("--no-open", action="store_true", help="write it, and open no browser")
    add("--language", choices=("en", "zh"), default="en", help="in which the page opens (default: %(default)s)")


def grid(given: str) -> list[float]:
    """An argument type: rates as LOWEST:HIGHEST:COUNT, or with commas between."""
    above = of_kind(Number(0))
    if ":" not in given:
        return [above(part) for part in given.split(",")]
    parts = given.split(":")
    if len(parts) != 3:
        raise argparse.ArgumentTypeError(f"expected lowest:highest:count, as in 1e-4:10:11, got {shown(given)}")
    from tinygrad_lr.race import rate_grid  # which imports NumPy

    try:
        return rate_grid(above(parts[0]), above(parts[1]), of_kind(Whole(2))(parts[2]))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


REPORT_FORMATS = ("text", "json", "html", "junit", "sarif")  # verify.report.FORMATS, which is not imported for --help


def _add_verify(commands: Any) -> None:
    verify = commands.add_parser(
        "verify",
        help="check any optimizer or schedule against its formula and the properties of every rule",
        description="Print what is wrong, each failure with its smallest example, then what passed. Exit status 0: all "
        "right, 1: something failed, 2: wrong usage. docs/verify.md is the guide.",
    )
    add = verify.add_argument
    add(
        "target",
        type=text,
        metavar="MODULE:NAME",
        help="for example torch.optim:Adam, my_file.py:make, or an optimizer (adam)",
    )
    add(
        "--spec",
        type=text,
        metavar="NAME",
        help="the formula it claims to compute, or file.py:name of your own (default: an optimizer's own; of others, "
        "what holds for every rule)",
    )
    add("--dialect", type=text, help="whose form of the formula (default: the first that exists for it)")
    add(
        "--set",
        nargs="+",
        type=text,
        default=[],
        metavar="NAME=VALUE",
        help="hyperparameters, for example amsgrad=true lr=0.1; of a schedule its arguments and base=, the base rate",
    )
    add(
        "--schedule",
        action="store_true",
        help="MODULE:NAME is a schedule: a function of the step, or one of torch, optax, keras, timm or transformers",
    )
    add("--total-steps", type=whole_number(1), metavar="N", help="of the schedule")
    add("--properties", type=names, metavar="P1,P2", help="check these only")
    add(
        "--expect-failure",
        nargs="+",
        type=text,
        default=[],
        metavar="P9=REASON",
        help="properties that are known to fail",
    )
    add("--dtype", choices=("float32", "float64"), default="float32", help="of the parameters (default: %(default)s)")
    add("--seed", type=whole_number(0), default=0, metavar="N", help="of the examples (default: %(default)s)")
    add("--deep", action="store_true", help="search for hours")
    add("--timeout", type=number(0), metavar="SECONDS", help="that a property may take (default: 60; --deep: no limit)")
    add = verify.add_argument_group("what kind of rule it is, and what is left out").add_argument
    for name, says in {
        "elementwise": "whether each element of a parameter is updated by itself (LAMB, Adafactor: no)",
        "coupled": "whether all parameters determine a step together (Prodigy: yes)",
    }.items():
        add(f"--{name}", choices=("yes", "no"), help=f"{says}; default: as the formula, or a trial, says")
    add(
        "--ignore",
        nargs="+",
        choices=("inherited",),
        default=[],
        help="leave failures out of the verdict that a library's base class hands down unchanged",
    )
    add = verify.add_argument_group("what the optimizer calls it").add_argument
    add(
        "--names",
        nargs="+",
        type=text,
        default=[],
        metavar="NAME=THEIRS",
        help="its arguments for the formula's hyperparameters, or for a schedule's arguments: lr=learning_rate "
        "betas=beta1,beta2; eps= for none",
    )
    add("--without", type=names, metavar="NAME,NAME", help="hyperparameters of the formula that it does not have")
    add(
        "--state-names",
        nargs="+",
        type=text,
        default=[],
        metavar="STATE=THEIRS",
        help="its arrays for the formula's states: exp_avg=m; exp_avg= for one that is not to be compared",
    )
    add(
        "--prepare",
        type=text,
        metavar="METHOD",
        help="called before the first step: a method of the optimizer (train), or file.py:function of it",
    )
    add = verify.add_argument_group("the report").add_argument
    add("--format", choices=REPORT_FORMATS, default="text", help="of the report (default: %(default)s)")
    add("--out", type=text, metavar="FILE", help="write the report there, and print its last line only")
    add("--all", action="store_true", help="show every failure whole, and what does not apply, with the reason")
    add("--json", type=text, metavar="FILE", help="also write the report there, as JSON")
    add(
        "--script",
        type=text,
        metavar="DIR",
        help="write a program for each failure there, which shows it; - prints them",
    )
    add("--badge", type=text, metavar="FILE", help="also write a badge there, as SVG")


def _add_warmup(commands: Any) -> None:
    warmup = commands.add_parser(
        "warmup",
        usage="%(prog)s [-h] [--optimizer NAME] [--dtype DTYPE] [--state-dtype DTYPE]\n"
        "       %(prog)s train [TABLE.csv] [all that train takes]",
        help="compile ahead what later processes would compile, for a container say",
        formatter_class=_WithList,
        epilog=_listed(),
        description="Compile what is not in the cache folder yet (NUMBA_CACHE_DIR chooses it), for processes on this "
        "kind of processor. Alone: the kernels that steps of optimizers call in Python, and nothing of compiled "
        "training. In front of a `train` command: all that this command compiles, the compiled step too where it runs "
        "as machine code; then it compiles nothing, as long as the table has as many rows and the same columns and "
        "categories. For that, an epoch is trained and forgotten. Never compiled ahead: CUDA loops, and "
        "fit(compiled=True) with a model of your own in Python, of which one epoch compiles all that others need.",
    )
    warmup.add_argument(
        "--optimizer",
        type=optimizer,
        dest="only",
        metavar="NAME",
        help="this one only, of the list below (default: all of them)",
    )
    warmup.add_argument(
        "--dtype",
        choices=("float32", "float64", "all"),
        dest="only_dtype",
        help="of the parameters to be trained; `train` uses float32 (default: all)",
    )
    warmup.add_argument(
        "--state-dtype",
        choices=STATE_DTYPES,
        help="also what optimizers need for states in fewer bytes, where they have them (default: float32)",
    )
    before = warmup.add_subparsers(dest="before", title="before a training", metavar="", prog=warmup.prog)
    _add_train(before, "what this training would compile, and nothing else of it")


def optimizer(given: str) -> str:
    """An argument type: the name of a row of the table."""
    if given not in OPTIMIZERS:
        raise argparse.ArgumentTypeError(invalid_choice(given, list(OPTIMIZERS)))
    return given


def _listed() -> str:
    """The optimizers by family, a line for each."""
    families: dict[str, list[str]] = {}
    for name, row in OPTIMIZERS.rows.items():
        families.setdefault(row.family, []).append(f"  {name:<21} {row.summary}")
    blocks = ["\n".join([f"{family}:", *lines]) for family, lines in families.items()]
    return "\n\n".join(["optimizers (tinygrad-lr explain NAME prints the formula of one):", *blocks])


def program() -> int:
    """`main` in a process that does nothing else: what it imports stays until the end, so that looking for garbage
    among it, again and again and once more at the exit, would be a fifth of a short command's time."""
    gc.set_threshold(50_000, *gc.get_threshold()[1:])
    warnings.formatwarning = lambda message, *_, **__: f"tinygrad-lr: warning: {message}\n"
    try:
        return main()
    finally:
        gc.freeze()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code.

    Args:
        arguments: without the program's name; by default those of the process.

    Raises:
        SystemExit: as argparse does, with code 2 for arguments that cannot be read and 0 after --help.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a terminal that lacks a letter of a column's name must not end a run
            stream.reconfigure(errors="backslashreplace")
    given = sys.argv[1:] if arguments is None else arguments
    if {"-h", "--help"} & set(given) and len(given) > 1:
        OPTIMIZERS.read_entry_points()  # the help of a command lists them
    with safe_warnings():
        chosen = parser().parse_args(given)
        if getattr(chosen, "resume", None) is not None:
            chosen.given = _written(given)
        code = _run(chosen)
        try:
            if sys.stdout is not None:
                sys.stdout.flush()
        except BrokenPipeError:
            drop(sys.stdout)
            return 1
        except OSError as error:
            drop(sys.stdout)
            return fail(f"standard output: {error.strerror or error}")
        return code


def _written(given: Sequence[str]) -> list[str]:
    """The names of the arguments that a `train` command writes out, apart from --resume."""
    whole = parser()
    (commands,) = (each for each in whole._actions if isinstance(each, argparse._SubParsersAction))
    for action in commands.choices["train"]._actions:
        action.default = argparse.SUPPRESS
    return [name for name in vars(whole.parse_args(given)) if name not in ("command", "resume")]


def _parsed(words: list[str]) -> argparse.Namespace:
    """The arguments of a command that a file holds.

    Raises:
        ValueError: they cannot be read.
    """
    said = io.StringIO()
    try:
        with redirect_stderr(said), redirect_stdout(said):
            return parser().parse_args(words)
    except SystemExit:
        raise ValueError(said.getvalue().strip().rpartition("error: ")[2] or "it has no arguments") from None


def _run(chosen: argparse.Namespace) -> int:
    """Run a command. What the user can put right is one line on standard error."""
    printing = ("explain", "info", "lr-find", "schedule")
    only_prints = chosen.command in printing or getattr(chosen, "show_compiled", False)
    if sys.stdout is None and (only_prints or (chosen.command == "predict" and chosen.out is None)):
        return fail("standard output is closed, and nothing else would come of this; give it a file or a pipe")
    try:
        if chosen.command == "explain":  # needs neither kernels nor Numba
            from tinygrad_lr.settings import setting
            from tinygrad_lr.verify.documents.explain import explain

            options = dict(map(setting, chosen.set))
            for name in ("name", "dialect", "latex"):
                if name in options:
                    raise ValueError(f"--set changes hyperparameters, got {name}={shown(str(options[name]))}")
            name = chosen.name
            if ":" in name:
                from tinygrad_lr.verify.command import formula_of

                name = formula_of(name)
            for line in explain(name, dialect=chosen.dialect, latex=chosen.latex, **options).split("\n"):
                say(line)
            return 0
        if chosen.command == "schedule":  # nor does this
            from .schedules import schedule

            return schedule(chosen)
        if chosen.command == "verify":
            from tinygrad_lr.verify.command import run

            return run(chosen)
        from tinygrad_lr.training.tables.speaking import on_the_command_line

        from . import commands

        with on_the_command_line():
            return commands.run(chosen, _parsed)
    except BrokenPipeError:
        drop(sys.stdout)  # whoever read our output has left
        return 1
    except KeyboardInterrupt:
        return fail("interrupted before there was anything to save", 130)
    except MemoryError as error:
        return fail(f"this does not fit into memory ({str(error) or 'no more could be had'}); take fewer rows or units")
    except OSError as error:
        return fail(f"{error.filename}: {error.strerror}" if error.filename else str(error))
    except (ValueError, RuntimeError, NotImplementedError, ImportError, OverflowError) as error:
        return fail(str(error))
