"""`python -m tinygrad_lr.verify.score`: the kit's score over its families, and what it got wrong by name."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from tinygrad_lr.files import write_text

from ..report import shortened
from .candidates import FAMILIES, Candidate, CandidateFamily
from .judging import ACCUSED, CAUGHT, CLEARED, MISSED, REFUSED, Verdict, as_dict, judge_by_name, sample

LIMIT = 12


def parser() -> argparse.ArgumentParser:
    """The options."""
    found = argparse.ArgumentParser(
        prog="python -m tinygrad_lr.verify.score",
        description="The kit's own score: wrong optimizers, schedules and clippings that it catches, and right but "
        "unusual ones that it must not accuse. Each is checked as a user calls the kit.",
        epilog=f"Of each family {LIMIT} are judged, in some minutes on two processors; with --all every one, in days.",
    )
    found.add_argument(
        "--family", action="append", metavar="NAME", help="a family, or the beginning of its name; may be given again"
    )
    found.add_argument(
        "--only", action="append", metavar="TEXT", help="candidates whose name has this text; may be given again"
    )
    found.add_argument(
        "--formula", action="append", metavar="NAME", help="candidates of this formula; may be given again"
    )
    found.add_argument("--limit", type=int, default=LIMIT, metavar="N", help=f"candidates of each family ({LIMIT})")
    found.add_argument("--all", action="store_true", help="every candidate")
    found.add_argument(
        "--seed", type=int, default=0, help="of the sample: the same seed judges the same candidates (0)"
    )
    found.add_argument(
        "--jobs", type=int, default=os.cpu_count() or 1, metavar="N", help="processes (one for each processor)"
    )
    found.add_argument(
        "--list", action="store_true", help="print the families, or the candidates of those that are named"
    )
    found.add_argument("--again", metavar="FILE", help="judge those that an earlier --json has")
    found.add_argument("--kit", metavar="FOLDER", help="judge with the kit of another checkout, in one process")
    found.add_argument("--json", metavar="FILE", help="write every verdict")
    return found


def chosen_families(names: Sequence[str] | None) -> list[CandidateFamily]:
    """The families whose names begin so.

    Raises:
        SystemExit: there is none; the message lists those that there are.
    """
    if not names:
        return list(FAMILIES.values())
    found = [each for each in FAMILIES.values() if any(each.name.startswith(name) for name in names)]
    for name in names:
        if not any(each.name.startswith(name) for each in FAMILIES.values()):
            raise SystemExit(f"--family must be one of {', '.join(FAMILIES)}, got {name!r}")
    return found


def chosen_members(each: CandidateFamily, options: argparse.Namespace) -> list[Candidate]:
    """The candidates of a family that are judged."""
    if options.again:
        rows = json.loads(Path(options.again).read_text(encoding="utf-8"))
        named = {(row["family"], row["name"]) for row in rows}
        return [m for m in each.members() if (each.name, m.name) in named]
    only = options.only
    members = [m for m in members_of(each, options) if not only or any(text in m.name for text in only)]
    return sample(members, None if options.all else options.limit, options.seed)


def members_of(each: CandidateFamily, options: argparse.Namespace) -> list[Candidate]:
    """All candidates of the formulas that are named."""
    return each.members(tuple(options.formula or ()))


def verdicts(work: list[tuple[str, str]], jobs: int) -> Iterator[Verdict]:
    """The verdicts on all, in order, each as soon as it is there."""
    if jobs == 1 or not work:
        yield from (judge_by_name(*each) for each in work)
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        yield from pool.map(judge_by_name, *zip(*work, strict=True))


def progress(found: list[Verdict], total: int) -> str:
    """The last verdict on a line."""
    last = found[-1]
    by = f" by {', '.join(last.by)}" if last.by else ""
    return f"{len(found)}/{total} {last.verdict}{by}: {last.family}: {last.name}"


def table(found: list[Verdict], sizes: dict[str, int]) -> list[str]:
    """The score: a line for each family, and the totals.

    Example:
        >>> verdicts = [Verdict("sizes", "a", "x", "caught"), Verdict("sizes", "b", "y", "missed")]
        >>> print(*table(verdicts, {"sizes": 40}), sep="\\n")
        family        of  caught  missed  refused   right  accused
        sizes         40       1       1        0
        all wrong     40       1       1        0
    """
    width = max(9, *(len(name) for name in sizes))
    lines = [f"{'family':{width}} {'of':>6}  caught  missed  refused   right  accused"]
    totals: dict[bool, Counter[str]] = {False: Counter(), True: Counter()}
    members: Counter[bool] = Counter()
    for name, size in sizes.items():
        right = FAMILIES[name].right
        counts = Counter(verdict.verdict for verdict in found if verdict.family == name)
        totals[right] += counts
        members[right] += size
        lines.append(_line(name, width, size, counts, right))
    for right, name in ((False, "all wrong"), (True, "all right")):
        if members[right]:
            lines.append(_line(name, width, members[right], totals[right], right))
    return lines


def _line(name: str, width: int, size: int, counts: Counter[str], right: bool) -> str:
    cells = (
        ["", "", counts[REFUSED], counts[CLEARED], counts[ACCUSED]]
        if right
        else [counts[CAUGHT], counts[MISSED], counts[REFUSED]]
    )
    text = "".join(f"{cell:>{w}}" for cell, w in zip(cells, (8, 8, 9, 8, 9), strict=False))
    return f"{name:{width}} {size:>6}{text}"


def wrong_verdicts(found: list[Verdict]) -> list[str]:
    """What the kit got wrong, by name."""
    lines = []
    for title, which in (("Missed", MISSED), ("Falsely accused", ACCUSED)):
        chosen = [verdict for verdict in found if verdict.verdict == which]
        if chosen:
            lines += ["", f"{title}: {len(chosen)}"]
        for verdict in chosen:
            lines.append(f"  {verdict.family}: {verdict.name}")
            if verdict.said:
                lines.append(f"      {', '.join(verdict.by)}: {shortened(verdict.said, 160)}")
    return lines


# What runs where another checkout comes first, and these families are added to its kit.
_WITH_KIT = """
import sys
kit, families, *arguments = sys.argv[1:]
sys.path.insert(0, kit)
import tinygrad_lr.verify as verify
assert verify.__file__.startswith(kit), f"{verify.__file__} is not in {kit}"
verify.__path__.insert(0, families)
from tinygrad_lr.verify.score.command import main
sys.exit(main(arguments))
"""


def with_kit(kit: Path, families: Path, arguments: Sequence[str]) -> list[str]:
    """The command that judges these families by the kit of another checkout.

    Args:
        families: an empty folder, which is given this package and nothing else of this kit.

    Raises:
        SystemExit: there is no kit; the message says what was looked for.
    """
    folder = kit.resolve()
    if not (folder / "tinygrad_lr" / "verify").is_dir():
        raise SystemExit(f"--kit must be a checkout with tinygrad_lr/verify, got {kit}")
    (families / "score").symlink_to(Path(__file__).parent, target_is_directory=True)
    place = next(i for i, each in enumerate(arguments) if each == "--kit" or each.startswith("--kit="))
    others = [*arguments[:place], *arguments[place + (2 if arguments[place] == "--kit" else 1) :]]
    return [sys.executable, "-c", _WITH_KIT, str(folder), str(families), *others, "--jobs", "1"]


def main(arguments: list[str]) -> int:
    """Judge a sample, and print the score; the exit status is 0."""
    options = parser().parse_args(arguments)
    if options.kit:
        with tempfile.TemporaryDirectory() as families_alone:
            call = with_kit(Path(options.kit), Path(families_alone), arguments)
            return subprocess.run(call, check=False).returncode
    families = chosen_families(options.family)
    if options.list:
        for each in families:
            if options.family:
                print(*(f"{each.name}: {member.name}" for member in members_of(each, options)), sep="\n")
            else:
                count, which = len(members_of(each, options)), "right" if each.right else "wrong"
                print(f"{each.name} ({count}, {which}): {each.statement}")
        return 0
    members = {each.name: chosen_members(each, options) for each in families}
    work = [(name, member.name) for name, chosen in members.items() for member in chosen]
    start = time.perf_counter()
    found: list[Verdict] = []
    for verdict in verdicts(work, max(1, min(options.jobs, len(work)))):
        found.append(verdict)
        print(progress(found, len(work)), file=sys.stderr, flush=True)
        if options.json:  # after each, so that nothing is lost where the score is interrupted
            write_text(Path(options.json), json.dumps([as_dict(each) for each in found], indent=1) + "\n")
    sizes = {each.name: len(members_of(each, options)) for each in families if members[each.name]}
    print(*table(found, sizes), sep="\n")
    print(*wrong_verdicts(found), sep="\n")
    print(f"\n{len(found)} judged in {time.perf_counter() - start:.0f} s, seed {options.seed}")
    return 0
