"""P1's parts, P7.buffers, P9.whole: a step is the formula's in every setting, size, layout, count, and where they meet.

Each property brings its own fixed cases. Their parameters mix all kinds of gradients, an element each, so that each
case meets all of them. What a subject cannot do (no set_state(), say) is left out of the cases where things meet.
Next: structural.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import combinations, product
from typing import Any
from zlib import crc32

import numpy as np

from ..execution import LAYOUTS, Execution, run
from ..guard import is_refusal, told
from ..protocol import Array, Broken, Case, Maker, NotApplicable, copy_gradients, register, require_method, same_bits
from ..sequences import known_number, mixed, pad_shape
from .continuity import copied, equal_values, takes_missing
from .liveness import settings_to_try
from .one_step import ORDINARY, formula_ratio
from .unbounded import expect_unbounded

# Where the tails of vectors and the ends of blocks lie: registers, bytes, 256, 1,024, 2,048 and 4,096 elements.
SIZES = (
    *(1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 255, 256, 257, 1003),
    *(1023, 1024, 1025, 2047, 2048, 2049, 4095, 4096, 4097),
)
MANY = 65_537  # elements: more than a thread, or a block of a GPU's driver, is given
TENSORS = 330  # parameters: more than torch's multi-tensor kernels take at once (320, 110, 64, 48, 36 and 30)
DIFFERENT = 7  # of them, which come again and again: an enclosure of each suffices
SHAPES = ((), (0,), (1, 7), (7, 1), (5, 6), (5, 6), (6, 5), (2, 3, 4), (2, 2, 3, 3), (3, 1, 5), (4, 2), (4, 2))
FEW = ((1,), (2,), (3,), (8,), (9,), (17,), (4, 3), (3, 4), (4, 3), (5, 5))  # where products of matrices are enclosed
LARGEST_COUNT = 2**24  # the next whole number is none of float32's


def counts() -> tuple[int, ...]:
    """Step counts, the three steps after which go past a power of two or ten.

    Example:
        >>> counts()[:3], counts()[-2:]
        ((6, 8, 14), (9999998, 16777213))
    """
    near = {n - 2 for n in (*(2**k for k in range(3, 24)), *(10**k for k in range(1, 8)))}
    return (*sorted(near), LARGEST_COUNT - 3)


# Cases
def seed_of(case: Case) -> int:
    """A number that another seed's case does not have."""
    return crc32(b"".join(np.ascontiguousarray(p).tobytes() for p in case.params)) % 2**16


def like(case: Case, shapes: Iterable[tuple[int, ...]], steps: int = 4, label: str = "", **fields: Any) -> Case:
    """A case with the claim and dtype of another, of these shapes, whose elements mix all kinds of gradients."""
    dtype, seed = case.params[0].dtype, seed_of(case)
    eps, lr = known_number(case.spec, "eps", 1e-3), known_number(case.spec, "lr", 1e-3)
    eps = eps if eps > 1e-12 else 1e-3  # whose square is in range
    shapes = list(shapes)
    ends = np.cumsum([int(np.prod(shape, dtype=int)) for shape in shapes])
    rng = np.random.default_rng([seed, len(shapes)])
    theta = np.asarray(rng.choice((lr, 1.0, 100.0), size=ends[-1]) * rng.normal(size=ends[-1]), dtype)

    def pieces(whole: Array) -> list[Array]:
        parts = np.split(whole, ends[:-1])
        return [np.array(part.reshape(shape)) for part, shape in zip(parts, shapes, strict=True)]

    gradients: list[list[Array | None]] = [[*pieces(whole)] for whole in mixed(theta.size, steps, seed, dtype, eps)]
    return replace(case, params=pieces(theta), gradients=gradients, label=label, **fields)


def usual_shapes(case: Case, large: int = 1003) -> list[tuple[int, ...]]:
    """Shapes for a case of the claim: a long vector, tails, matrices of equal shape, more and fewer dimensions."""
    family = case.spec.family if case.spec.name else None
    least = min((p.ndim for p in case.params), default=0)
    if family is not None and family.coupled:
        return [(5, 7)]
    if least > 1:
        return [pad_shape(shape, least) for shape in ((9,), (4, 3), (4, 3), (3, 4))]
    return [pad_shape(shape, least) for shape in ((large,), (17,), (5, 6), (5, 6), (2, 3, 4), (3,), ())]


def taken(make: Maker, name: str) -> bool:
    """Whether a maker takes a hyperparameter."""
    takes = getattr(make, "takes", None)
    return takes is None or name in takes


def settings_of(make: Maker, case: Case) -> dict[str, list[dict[str, Any]]]:
    """For each hyperparameter that the maker takes, settings in which it matters, of which one has another value."""
    found: dict[str, list[dict[str, Any]]] = {}
    for name in case.spec.all_names:
        if not taken(make, name):
            continue
        try:
            group = next(iter(settings_to_try(name, case.spec, getattr(make, "takes", None))), [])
        except NotApplicable:
            continue
        kept = [{key: value for key, value in each.items() if taken(make, key)} for each in group]
        if kept:
            found[name] = kept
    return found


def merged(settings: Mapping[str, Sequence[dict[str, Any]]]) -> list[dict[str, Any]]:
    """The last setting of each hyperparameter, as many at once as do not contradict one another.

    Example:
        >>> merged({"a": [{"a": 1}], "b": [{"a": 2, "b": 1}], "c": [{"c": 3}]})
        [{'a': 1, 'c': 3}, {'a': 2, 'b': 1, 'c': 3}]
    """
    last = [each[-1] for each in settings.values()]
    rows: list[dict[str, Any]] = []
    for first in last:
        if any(first.items() <= row.items() for row in rows):
            continue
        row = dict(first)
        for other in last:
            if all(row.get(key, value) == value for key, value in other.items()):
                row |= other
        rows.append(row)
    return rows


def possible(make: Maker, case: Case) -> list[dict[str, Any]]:
    """Many settings at once, where the maker takes them together."""
    found = []
    for row in merged(settings_of(make, case)):
        with suppress(Exception):  # P1.settings says so
            case.make(make, params=case.params[:1], **row)
            found.append(row)
    return found


def other_numbers(make: Maker, case: Case) -> dict[str, tuple[dict[str, Any], Any]]:
    """For each real hyperparameter: the settings to begin with, and the value to change it to during a run."""
    found = {}
    for name, group in settings_of(make, case).items():
        values: list[Any] = [each.get(name) for each in group[:2]]
        if len(group) > 1 and all(_is_real(value) for value in values):
            (first, value) = values
            start = first or value / 2  # from 0 on, a state might begin in the middle
            found[name] = ({**group[0], name: start}, value)
    return found


def other_switches(make: Maker, case: Case) -> dict[str, tuple[dict[str, Any], Any]]:
    """For each flag, and each choice of words, that asks for no other state: the settings to begin with, and what a
    group may have in its place."""
    found = {}
    for name, group in settings_of(make, case).items():
        start = group[0]
        first, last = start.get(name), group[-1].get(name)
        switches = type(first) is type(last) and isinstance(first, (bool, str)) and first != last
        if switches and _has_the_states(case, start, {**start, name: last}):
            found[name] = (start, last)
    return found


def _is_real(value: Any) -> bool:
    if isinstance(value, (tuple, list)):
        return all(map(_is_real, value))
    return isinstance(value, (float, np.floating))


def _labelled(name: str, setting: Mapping[str, Any]) -> str:
    return f"{name}={setting.get(name)!r}"


def can(make: Maker, case: Case, method: str) -> bool:
    """Whether the subject has a method."""
    return callable(getattr(case.make(make, params=case.params[:1]), method, None))


def is_a_groups(make: Maker, case: Case, name: str, value: Any) -> bool:
    """Whether a hyperparameter can be changed, or be a group's own; an optimizer may have it for all parameters."""
    change = getattr(case.make(make, params=case.params[:1]), "set_hyperparameters", None)
    try:
        if change:
            change(**{name: value})
    except NotApplicable:
        return False
    except Exception:  # P1.changes says so
        pass
    return True


def loads_counts(make: Maker, case: Case) -> bool:
    """Whether the subject's step count can be set through its state."""
    first = [next((np.zeros_like(g) for g in grads[:1] if g is not None), None) for grads in case.gradients[:2]]
    try:
        run(replace(case, params=case.params[:1], gradients=[[g] for g in first], count=7), make)
    except Exception:  # P1.counts says so
        return False
    return True


# P1.settings
NEUTRAL = ("weight_decay", "momentum", "dampening", "lr_decay", "l1", "l2")


def settings_cases(make: Maker, case: Case) -> Iterator[Case]:
    """Each hyperparameter in its context, then many at once."""
    found = settings_of(make, case)
    rows = [(_labelled(name, each), each) for name, group in found.items() for each in group]
    rows += [(f"{name}=0.0", {name: 0.0}) for name in NEUTRAL if name in found and case.spec[name]]
    rows += [(", ".join(_labelled(name, row) for name in row), row) for row in merged(found)]
    seen = []
    for label, setting in rows:
        spec = case.spec.having(**setting)
        if spec.hyperparameters not in seen:
            seen.append(spec.hyperparameters)
            yield like(replace(case, spec=spec), usual_shapes(case), 6, label)


@register(
    "P1.settings",
    "A step equals the formula in every setting that make takes: each hyperparameter with another value, and many.",
    after=("P1",),
    cases=settings_cases,
)
def every_setting(make: Maker, case: Case) -> float:
    return formula_ratio(make, case, ORDINARY)


# P1.changes
def changes_cases(make: Maker, case: Case) -> Iterator[Case]:
    """Each real hyperparameter changed in the middle, all of them, and groups with hyperparameters of their own."""
    numbers, shapes = other_numbers(make, case), usual_shapes(case, 33)
    for name, (context, value) in numbers.items():
        start = replace(case, spec=case.spec.having(**context))
        yield like(start, shapes, 5, name, changes={2: {name: value}})
    setting: dict[str, Any] = {}
    changed: dict[str, Any] = {}
    for name, (context, value) in numbers.items():
        if all(setting.get(key, each) == each for key, each in context.items()):
            setting |= context
            changed[name] = value
    start = replace(case, spec=case.spec.having(**setting))
    changed = {name: value for name, value in changed.items() if is_a_groups(make, case, name, value)}
    if "lr" in changed:
        changes = {1: {"lr": changed["lr"]}, 2: changed, 3: {"lr": setting["lr"]}}
        yield like(start, shapes, 5, "all of them, one after another", changes=changes)
    if len(shapes) > 1:
        yield late(like(case, shapes, 5, "a group that joins late", late=len(shapes) // 2), 2)
        yield late(like(start, shapes, 5, "two groups", late=1, group=changed), 0)
        yield late(like(start, shapes, 3, "a group for each parameter", late=1, group=changed, apart=True), 0)
        later = {3: {"lr": changed["lr"] / 2}} if "lr" in changed else {}
        yield late(like(start, shapes, 5, "a late group of its own", late=1, group=changed, changes=later), 2)
        for name, (context, value) in other_switches(make, case).items():
            if is_a_groups(make, case, name, value):
                of_its_own = replace(case, spec=case.spec.having(**context))
                yield late(like(of_its_own, shapes, 3, f"a group of another {name}", late=1, group={name: value}), 0)


def late(case: Case, step: int) -> Case:
    """The case whose late parameters have their first gradient in a step, counted from 0."""
    gradients = [
        [None if t < step and i >= case.late else g for i, g in enumerate(grads)]
        for t, grads in enumerate(case.gradients)
    ]
    return replace(case, gradients=gradients)


@register(
    "P1.changes",
    "Hyperparameters that change between steps, or that a group has for itself, act as in the formula, from then on.",
    after=("P1",),
    cases=changes_cases,
)
def changes_act(make: Maker, case: Case) -> float:
    return formula_ratio(make, case, ORDINARY)


# P1.sizes
def sizes_cases(make: Maker, case: Case) -> Iterator[Case]:
    """Many sizes and shapes at once, in the claim's settings and with many others; then one long vector."""
    family = case.spec.family
    least = min((p.ndim for p in case.params), default=0)
    if least > 1:
        shapes = [pad_shape(shape, least) for shape in FEW]
    else:
        shapes = [*((n,) for n in SIZES), *(shape for shape in SHAPES if len(shape) >= least)]
    rows: list[dict[str, Any]] = [{}, *possible(make, case)[:1]]
    for row in rows:
        start = replace(case, spec=case.spec.having(**row))
        label = "many settings at once" if row else "the claim's settings"
        if family.coupled:
            yield from (like(start, [shape], 3, label) for shape in shapes if 0 not in shape)
        else:
            yield like(start, shapes, 3, label)
    if family.elementwise and least < 2:
        yield like(case, [(MANY,)], 2, f"{MANY} elements")
    if not family.coupled and getattr(make, "missing_gradients", True):  # others take a tree of any length
        few = like(case, [pad_shape((2 + i % 2,), least) for i in range(DIFFERENT)], 2, f"{TENSORS} parameters")
        yield few.part([i % DIFFERENT for i in range(TENSORS)])


@register(
    "P1.sizes",
    "A step equals the formula in every size and shape: the ends of vectors and blocks, and parameters of one shape.",
    after=("P1",),
    cases=sizes_cases,
)
def every_size(make: Maker, case: Case) -> float:
    return formula_ratio(make, case, ORDINARY)


# P1.layouts
def layouts_cases(make: Maker, case: Case) -> Iterator[Case]:
    """Each layout, with many settings at once where they can be."""
    row = next(iter(possible(make, case)), {})
    for layout in filter(None, LAYOUTS):
        start = replace(case, spec=case.spec.having(**row))
        found = like(start, usual_shapes(case, 33), 3, layout, layout=layout)
        yield found if layout != "repeated" else with_equal_rows(found)


def with_equal_rows(case: Case) -> Case:
    """The case whose gradients have the first row in the place of all."""
    gradients: list[list[Array | None]] = [
        [g if g is None or not g.ndim else np.array(np.broadcast_to(g[:1], g.shape)) for g in grads]
        for grads in case.gradients
    ]
    return replace(case, gradients=gradients)


@register(
    "P1.layouts",
    "A step equals the formula however gradients and parameters lie in memory: transposed, strided, read-only.",
    after=("P1",),
    cases=layouts_cases,
)
def every_layout(make: Maker, case: Case) -> float:
    try:
        return formula_ratio(make, case, ORDINARY)
    except (ValueError, TypeError) as error:
        if "stride" not in str(error) and "writ" not in str(error):
            raise
        raise NotApplicable(f"it refuses: {error}") from error


# P1.counts
def counts_cases(make: Maker, case: Case) -> Iterator[Case]:
    """Three steps after each count, in the claim's settings."""
    shapes = usual_shapes(case, 17)[:1]
    for count in counts():
        yield like(case, shapes, 4, f"after {count} steps", count=count)


@register(
    "P1.counts",
    "A step equals the formula after any number of steps: near every power of two and ten up to 2^24.",
    after=("P1",),
    cases=counts_cases,
)
def every_count(make: Maker, case: Case) -> float:
    return formula_ratio(make, case, ORDINARY)


# P1.dtypes
def dtypes_cases(make: Maker, case: Case) -> Iterator[Case]:
    """The other of float32 and float64, and both beside one another."""
    other = np.dtype(np.float64 if case.params[0].dtype == np.float32 else np.float32)
    cases = {"": like(case, usual_shapes(case, 33), 6)}
    cases["other"] = cases[""].in_dtypes(other)
    yield replace(cases["other"], label=str(other))
    if loads_counts(make, case):
        yield replace(cases["other"], label=f"a loaded state in {other}", count=7)
    if getattr(make, "mixes_dtypes", True) and len(case.params) > 1:
        yield replace(cases[""].in_dtypes(case.params[0].dtype, other), label="both in one optimizer")


def one_dtype(spec: Any) -> str:
    """The derived bound must say something in both."""
    return (
        ""
        if len(spec.family.narrow_in) > 1
        else f"the derived bound says something in {spec.family.narrow_in[0]} alone"
    )


@register(
    "P1.dtypes",
    "A step equals the formula in float32 and in float64, and where an optimizer has parameters of both.",
    after=("P1",),
    unless=one_dtype,
    cases=dtypes_cases,
)
def every_dtype(make: Maker, case: Case) -> float:
    return formula_ratio(make, case, ORDINARY)


# P1.nonfinite
def nonfinite_cases(make: Maker, case: Case) -> Iterator[Case]:
    """NaN, and infinities, in single elements of the first parameter."""
    shapes = usual_shapes(case, 33)
    for value in (np.nan, np.inf):
        found = like(case, shapes, 5, f"{value} in one element")
        for t, place in ((1, 2), (3, 7)):
            first = np.array(found.gradients[t][0])
            first.flat[place % first.size] = value if place == 2 else -value
            found.gradients[t][0] = first
        yield found


@register(
    "P1.nonfinite",
    "A gradient that is not finite in one element spoils no other; there theta is what the formula has, finite or not; "
    "or its step is skipped.",
    after=("P1",),
    cases=nonfinite_cases,
)
def spoils_no_other(make: Maker, case: Case) -> str | float:
    try:
        found = formula_ratio(make, case, ORDINARY)
        if case.spec.family.elementwise:
            expect_unbounded(case, run(case, make))
        return found
    except Broken:
        if not _skips(make, case):
            raise
    except Exception as error:
        if not is_refusal(error):
            raise
        raise NotApplicable(f"it refuses gradients that are not finite: {told(error)}") from error
    return "steps with a gradient that is not finite are skipped"


def _skips(make: Maker, case: Case) -> bool:
    """Whether the steps with a gradient that is not finite leave everything as if they had not been.

    That may be every parameter, or the one alone whose gradient it is.
    """
    bad = [[g is not None and not np.isfinite(g).all() for g in grads] for grads in case.gradients]
    found = run(case, make)[-1]
    kept = [grads for grads, row in zip(case.gradients, bad, strict=True) if not any(row)]
    without = [run(replace(case, gradients=kept), make)[-1]]
    if getattr(make, "missing_gradients", True):
        pairs = [zip(grads, row, strict=True) for grads, row in zip(case.gradients, bad, strict=True)]
        alone: list[list[Array | None]] = [[None if is_bad else g for g, is_bad in pair] for pair in pairs]
        without.append(run(replace(case, gradients=alone), make)[-1])
    same = (all(np.array_equal(a, b) for a, b in zip(found, each, strict=True)) for each in without)
    return any(map(any, bad)) and any(same)


# P1.pairs
def pairs_cases(make: Maker, case: Case) -> Iterator[Case]:
    """Rows in which every two of settings, layouts, late groups, changes, buffers and counts meet."""
    numbers, shapes = other_numbers(make, case), usual_shapes(case)
    start = numbers["lr"][0] if "lr" in numbers else {}
    rows: list[dict[str, Any]] = [{}, *possible(make, case)[:3]]
    changes: list[dict[int, dict[str, Any]]] = [{}]
    if can(make, case, "set_hyperparameters"):
        changes += [{2: {name: value}} for name, (_, value) in numbers.items() if name in ("lr", "weight_decay")]
    groups: list[tuple[int, dict[str, Any]]] = [(-1, {})]
    if can(make, case, "add_group") and len(shapes) > 1:
        groups += [(0, {}), (2, {})]
        groups += [(2, {"lr": numbers["lr"][1]})] if "lr" in numbers else []
    loaded = [0]
    if loads_counts(make, case):
        loaded += [254, 998, 65534]
    layouts = ("", "transposed", "strided", "read-only", "transposed, parameters too")
    factors: list[Sequence[Any]] = [rows, layouts, changes, groups, [False, True], loaded]
    for row, layout, change, (join, group), buffers, count in covering(factors):
        spec = case.spec.having(**{**start, **row})
        found = like(
            replace(case, spec=spec),
            shapes,
            5,
            _meeting(row, layout, change, join, group, buffers, count),
            layout=layout,
            changes=change,
            buffers=buffers,
            count=count,
        )
        yield found if join < 0 else late(replace(found, late=len(shapes) // 2, group=group), join)


def _meeting(row: Any, layout: str, change: Any, join: int, group: Any, buffers: bool, count: int) -> str:
    """What meets in a case, in words."""
    parts = {
        ", ".join(f"{name}={value!r}" for name, value in row.items()): row,
        f"gradients {layout}" if "parameters" not in layout else layout: layout,
        "a change": change,
        "two groups" if join == 0 else "a late group": join >= 0,
        "of its own": group,
        "the same buffers": buffers,
        f"after {count} steps": count,
    }
    return ", ".join(text for text, there in parts.items() if there)


def covering(factors: Sequence[Sequence[Any]]) -> list[tuple[Any, ...]]:
    """Rows with one value of each factor, such that every two values of two factors meet in one of them.

    Greedy: each row takes, factor by factor, the value with which most pairs meet for the first time.

    Example:
        >>> rows = covering([[0, 1], [0, 1], [0, 1]])
        >>> len(rows), {(row[0], row[2]) for row in rows} == {(0, 0), (0, 1), (1, 0), (1, 1)}
        (4, True)
    """
    sizes = [range(len(values)) for values in factors]
    missing = {
        ((a, i), (b, k)) for a, b in combinations(range(len(factors)), 2) for i, k in product(sizes[a], sizes[b])
    }
    rows = []
    while missing:
        (a, i), (b, k) = min(missing)
        row = {a: i, b: k}
        for c in range(len(factors)):
            if c not in row:
                gains = [sum(tuple(sorted(((c, v), pair))) in missing for pair in row.items()) for v in sizes[c]]
                row[c] = gains.index(max(gains))
        missing -= {tuple(sorted(pair)) for pair in combinations(row.items(), 2)}
        rows.append(tuple(factors[c][row[c]] for c in range(len(factors))))
    return rows


@register(
    "P1.pairs",
    "A step equals the formula where two circumstances meet: settings, layouts, changes, late groups, buffers, counts.",
    after=("P1", "P1.settings", "P1.changes", "P1.sizes", "P1.layouts", "P1.counts"),
    cases=pairs_cases,
)
def where_two_meet(make: Maker, case: Case) -> float:
    return formula_ratio(make, case, ORDINARY)


# P9.whole
def whole_cases(make: Maker, case: Case) -> Iterator[Case]:
    """The other dtype, a parameter without a state among others of its shape, and each hyperparameter changed."""
    shapes = [p.shape for p in case.params][: 1 if len(case.params) == 1 else 2]
    first = like(case, shapes, SAVED_AT + 2)
    yield replace(first.in_dtypes(np.float32 if case.params[0].dtype == np.float64 else np.float64), label="its dtype")
    if len(shapes) > 1 and takes_missing(make, case):
        yield late_gradient(like(case, [shapes[0]] * 3, SAVED_AT + 2, "a parameter without a state"))
    for name, group in settings_of(make, case).items():
        start, end = ({**each} for each in (group[0], group[-1]))
        keeps = _is_real(end.get(name)) or name in ("maximize", "nesterov") or _has_the_states(case, start, end)
        if keeps and name in start and name in end and can(make, case, "set_hyperparameters"):
            if _is_real(end[name]) and not np.all(start[name]):  # from 0 on, a state might begin in the middle
                start[name], end[name] = end[name], start[name]
            spec = case.spec.having(**start)
            found = like(replace(case, spec=spec), shapes, SAVED_AT + 2, name)
            yield replace(found, changes={SAVED_AT - 1: {name: end[name]}})


def _has_the_states(case: Case, one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether the formula keeps the same states in two settings, so that a run may change from one to the other."""
    states = [{*case.spec.having(**each).state_keys(case.params[0])} for each in (one, other)]
    return bool(case.spec.name) and states[0] == states[1]


SAVED_AT = 2  # steps


def late_gradient(case: Case) -> Case:
    """The case whose first parameter has its first gradient in the step after saving."""
    gradients = [[None, *grads[1:]] if t <= SAVED_AT else grads for t, grads in enumerate(case.gradients)]
    return replace(case, gradients=gradients)


@register(
    "P9.whole",
    "What is saved is loaded whole: changed hyperparameters, float64 states, and who has no state yet.",
    after=("P9",),
    cases=whole_cases,
)
def saved_whole(make: Maker, case: Case) -> None:
    plain = replace(case, changes={}, gradients=[[*grads] for grads in case.gradients])
    for t, grads in enumerate(plain.gradients):
        plain.gradients[t] = [np.zeros_like(p) if g is None else g for g, p in zip(grads, plain.params, strict=True)]
    if case.changes or any(g is None for grads in case.gradients for g in grads):
        try:
            _resumes(make, plain, "")
        except Broken:
            raise NotApplicable("a plain run that is saved and loaded does not go on, which is P9's") from None
    changed = ", ".join(name for change in case.changes.values() for name in change)
    _resumes(make, case, f", saved with another {changed} than built" if changed else "")


def _resumes(make: Maker, case: Case, how: str) -> None:
    """Save after some steps, load into a new optimizer, and require the bits of the uninterrupted run."""
    uninterrupted = Execution(case, make)
    require_method(uninterrupted.subject, "set_state")
    for t in uninterrupted.steps():
        if t == SAVED_AT - 1:
            saved, params = copied(require_method(uninterrupted.subject, "get_state")()), uninterrupted.params()
    for change in case.changes.values():
        if not _shows(make, saved, change):
            raise NotApplicable(f"a saved state does not show {', '.join(change)}")
    continued = case.make(make, params=params)
    continued.set_state(saved)
    for grads in case.gradients[SAVED_AT:]:
        continued.step(copy_gradients(grads))
    for i, (a, b) in enumerate(zip(uninterrupted.params(), continued.params, strict=True)):
        same_bits(a, b, f"parameter {i} after resuming at step {SAVED_AT}{how}")


def _shows(make: Maker, saved: Any, change: Mapping[str, Any]) -> bool:
    """Whether a saved state has a changed hyperparameter in its groups, under the library's names."""
    groups = saved.get("param_groups") if isinstance(saved, Mapping) else None
    theirs = getattr(make, "arguments", dict)(change)
    if not isinstance(groups, (list, tuple)) or not all(isinstance(group, Mapping) for group in groups):
        return False
    return all(name in g and equal_values(g[name], value) for name, value in theirs.items() for g in groups)


# P7.buffers
def buffers_cases(make: Maker, case: Case) -> Iterator[Case]:
    """The same buffers at every step."""
    yield like(case, [p.shape for p in case.params], 6, buffers=True)


@register(
    "P7.buffers",
    "The same gradient buffers with other values give the bits of fresh ones, and no earlier gradient is written to.",
    cases=buffers_cases,
)
def buffers_are_the_callers(make: Maker, case: Case) -> None:
    fresh = Execution(replace(case, buffers=False), make)
    for _ in fresh.steps():
        pass
    fresh.expect_gradients_untouched()
    again = run(case, make)[-1]
    for i, (a, b) in enumerate(zip(fresh.params(), again, strict=True)):
        same_bits(a, b, f"parameter {i}, whose gradients came in the same buffer")
