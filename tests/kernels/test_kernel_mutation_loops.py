"""Every change of a loop in kernels/ changes a result, raises or leaves its arrays, or is proven to change nothing.

A mutant cannot run for ever: no kernel has a `while`, and a `for` runs over a range.
"""

import ast
import re
from collections import Counter

import numpy as np
import pytest
from kernel_cases import GAMMA
from kernel_casts import only_a_cast, survives_compiled
from kernel_loops import BOUND, SHORT, TABLES, declared
from kernel_mutation import KERNELS, functions, loop_mutations, namespace, parsed
from kernel_rows import of_factors, of_matrices, of_measures, of_rules, of_short_states

from tinygrad_lr.kernels._jit import COMPILER_IS_OFF

# Mutations that change no value: the proof, the functions, and the changed line as it became. Both are regular
# expressions for the whole text.
WEAK = "a Python 0 or 1 beside an array's number takes its dtype (NEP 50); machine code is judged in test_compiled.py"
EQUIVALENT = [
    (
        "the lesser of two whole numbers has no order",
        r"elementwise\.gpu[24]",
        r"out\[i\] = .*min\([a-d]\.size - 1, i\).*",
    ),
    (
        "neither the lesser nor the larger of two has an order",
        r"erf\.erfc_of_few",
        r"size = np\.minimum\((LARGEST, np\.maximum\(x, -x\)|np\.maximum\(-x, x\), LARGEST)\)",
    ),
    ("one more term of the series is below rounding", r"erf\.module", r"range\(0, 11 \+ 1\)|12"),
    ("a list and a tuple, and a product and a quotient by 1 or -1", r"erf\.module", r"\[2 / .*|2 / .* / \(-1\) \*\* k"),
    ("the last term once more is below rounding", r"erf\.erf", r"for coefficient in SERIES\[-1:0:-1\]:.*"),
    ("beyond 1/2 the series is not used", r"erf\.erf", r"near = np\.minimum\(size, 1\.5\)"),
    ("at 1/2 either form is right", r"erf\.erf", r".*size <= 0\.5, near.*"),
    ("a zero of either sign", r"erf\.erf", r"return np\.where\(wide > 0, .*"),
    (
        "neither the lesser nor the larger of two has an order",
        r"erf\.erf",
        r"size = np\.maximum\(-.*|near = np\.minimum\(0.*",
    ),
    ("the wider of two dtypes has no order", r"erf\.erf", r"wide = x\.astype\(np\.result_type\(np.*"),
    ("the wider of two dtypes has no order", r"erf\.erfc_of_few", r"x = x\.astype\(np\.result_type\(np.*"),
    ("erfc(0) = 1 = 2 - erfc(0)", r"erf\.erfc_of_few", r"return np\.where\(x > 0, right, 2 - right\)"),
    ("exp(-29^2) is 0 in float64", r"erf\.module", r"29\.0|31\.0"),
    ("how many are computed at once changes no result", r"erf\.module", r"1638[35]"),
    (
        "the lesser of two whole numbers has no order",
        r"(linear|mse|arrays|layer_norm)\.\w+_gpu",
        r".*min\((\w+\.size - 1, i|(\w+\.size|g\.shape\[0\]), \([ic] \+ 1\) \* chunk)\).*",
    ),
    (
        "the lesser of two whole numbers has no order",
        r"norm\.scale_of",
        r".*(min\(1000, max\(frexp\(size\)\[1\], -1000\)\)|max\(-1000, frexp\(size\)\[1\]\), 1000\)).*",
    ),
    (
        "two numbers are compared, or joined as conditions, in either order",
        r"choices\.(equal|not_equal|logical_(and|or|xor))",
        r"def \w+\(b, a, out\):",
    ),
    (
        "the first place again or not, which is no better than itself",
        r"choices\.arg(max|min)",
        r"for j in range\(0 \+ 1.*",
    ),
    ("both begin with zero", r"layer_norm\.input_grad(_gpu)?", r"along, total = .*"),
    ("a product commutes bit for bit", r"layer_norm\.weight_grad(_gpu)?", r"def \w+\(kept, g, .*"),
    ("the same size once more", r"norm\.largest", r"if size >= least or size != size:"),
    ("where the two are equal, either is the other", r"softmax\.(log_)?softmax_gpu", r"top = top if top > .*"),
    ("the first class once more", r"softmax\.(log_)?softmax_gpu", r"for c in range\((1 - 1|0), a\.shape\[1\]\):.*"),
    ("any number but 0 marks an extreme element", r"moves\.shared", r"out\[i\] = 2"),
    ("a sum commutes bit for bit", r"arrays\.add_gpu", r"def \w+\(b, a, out\):"),
    ("a product commutes bit for bit", r"arrays\.mul_gpu", r"def \w+\(b, a, out\):"),
    ("g and scale are only multiplied with each other", r"mse\.scaled", r"def scaled\(error, scale, g\):"),
    (
        "g and scale are only multiplied with each other",
        r"mse\.grad_of_(total|each)_gpu",
        r"out\[i\] = scaled\(error\[i\], scale, g\[[0i]\]\)",
    ),
    (WEAK, r"matmul\.(nn|nt_column|tn|nt_each)", r"zero = 0"),
    (WEAK, r"dropout\.drop", r"(key, i, bound = .*, least\)|zero, factor = \(0, .*)"),
    (
        "a Python number beside a uint64 is one (NEP 50); machine code is judged in test_dropout.py and test_cuda.py",
        r"dropout\.(drop_gpu|module)",
        r"out\[i\] = .*(stays\(key,|, i,|, least\) else).*|x",
    ),
    (
        "Python's power of a float takes a whole number as the same float",
        r"matmul\.powers",
        r"out\[i\] = base \*\* \(first \+ i\)",
    ),
    (
        "a longer row, of which the first LANES are read",
        r"norm\.chunk_sums",
        r"row = part\[i \* LANES:\(i \+ 2\) \* LANES\]",
    ),
    (
        "NumPy's reshape finds the length for any negative number",
        r"norm\.chunk_sums?_numpy",
        r".*reshape\(-2, LANES\).*",
    ),
    ("where the two are equal, either is the other", r"adam_int8\.(coded|largest_of)", r".*(code <=|bits >=) .*"),
    (
        "both are the same",
        r"adam_int8\.(largest_of|cpu)",
        r"largest_v, largest_m = \(np.*|v, m, filled = .*|v\[size:\], m\[size:\] = .*",
    ),
    ("a whole block is written onto itself", r"adam_int8\.cpu", r"if (True|size <= BLOCK):; moments\[low:high\] = .*"),
    ("the same place, counted from the end", r"adam_int8\.cpu_numpy", r".*places\[0\] - starts\[-1\].*"),
    ("how many blocks are taken at once changes no result", r"adam_int8\.module", r"6[35]"),
    ("a bit that is zero in what it is taken from", r"adam_int8\.module", r"2130706433"),
    ("a bit that is zero in what it is taken from", r"_bits\.module", r"4294967294"),
    (
        "without a compiler a rule is itself over arrays (test_state_dtype.py compares)",
        r"adam_(int8|bfloat16)\.module",
        r"rule|packed|unpacked",
    ),
]


def proofs(mutation):
    """The places in EQUIVALENT that hold for a mutation."""
    function, after = f"{mutation.module}.{mutation.function}", mutation.after
    return {
        i
        for i, (_, where, line) in enumerate(EQUIVALENT)
        if re.fullmatch(where, function) and re.fullmatch(line, after)
    }


def same(found, expected, inexact):
    if isinstance(expected, tuple):
        pairs = isinstance(found, tuple) and len(found) == len(expected) and zip(found, expected, strict=True)
        return bool(pairs) and all(same(*pair, inexact) for pair in pairs)
    found, expected = np.asarray(found), np.asarray(expected)
    if found.shape != expected.shape or found.dtype != expected.dtype:
        return False
    equal = (found == expected) & (np.signbit(found) == np.signbit(expected)) | np.isnan(found) & np.isnan(expected)
    if inexact:
        with np.errstate(invalid="ignore"):
            equal |= np.isfinite(expected) & (np.abs(found - expected) <= GAMMA * np.abs(expected))
    return bool(equal.all())


class Guarded(np.ndarray):
    """An array with no place below 0: Python and Numba count from the end there, and a loop that begins early hides."""

    def __getitem__(self, place):
        return super().__getitem__(inside(place))

    def __setitem__(self, place, value):
        super().__setitem__(inside(place), value)


def inside(place):
    if any(isinstance(i, (int, np.integer)) and i < 0 for i in (place if isinstance(place, tuple) else (place,))):
        raise IndexError(f"place {place} is below 0")
    return place


def passes(function, cases, names):
    """Whether a function gives what its cases say, and writes nothing else."""
    on_gpu = "gpu" in function.__name__
    guard = np.ndarray if function.__name__.endswith(("numpy", "blas")) else Guarded  # those are NumPy's own words
    for arguments, becomes, returns, inexact in cases:
        given = [x.copy().view(guard) if isinstance(x, np.ndarray) else x for x in arguments]
        result = None
        try:
            with np.errstate(all="ignore"):
                if on_gpu:
                    threads = next(iter(becomes.values())).size + 1  # one beyond the end, which must do nothing
                    for i in range(threads):
                        names["thread_index"] = lambda i=i: i
                        function(*given)
                else:
                    result = function(*given)
        except Exception:
            return False
        if returns is not None and not same(result, returns, inexact):
            return False
        for place, (before, after) in enumerate(zip(arguments, given, strict=True)):
            if isinstance(before, np.ndarray) and not same(after, becomes.get(place, before), inexact):
                return False
    return True


def names_of(module, tree):
    """What a module's tree defines, and what is bound to the names of loops that all rules share."""
    names = namespace(tree)
    names.update(BOUND.get(module, {}))
    return names


def survives(mutation, table, names):
    """Whether a changed function passes its cases; for a change of the module's own lines, all functions theirs."""
    try:
        if mutation.function == "module":
            names = names_of(mutation.module, mutation.tree)
            return declared(mutation.module, names) and all(
                passes(names[name], cases, names) for name, cases in table.items()
            )
        names = dict(names)
        exec(compile(ast.Module([mutation.node], []), "<mutant>", "exec"), names)
    except Exception:  # it cannot even be built
        return False
    return passes(names[mutation.function], table[mutation.function], names)


@pytest.mark.parametrize("module", TABLES)
def test_every_mutation_is_killed_or_proven_equivalent(module, searches):
    table, names = TABLES[module], names_of(module, parsed(module))
    for name, cases in table.items():
        assert passes(names[name], cases, names), f"{module}.{name} itself must pass"
    listed = {i for i, (_, where, _) in enumerate(EQUIVALENT) if re.fullmatch(where.split(r"\.")[0], module)}
    killed, casts, proven, survivors, refuted = Counter(), Counter(), 0, [], []
    mutants = list(loop_mutations(module, frozenset(table)))
    listed = listed.difference(*map(proofs, mutants))
    for mutation in searches.sample("mutants of kernels", mutants, 12, group=lambda mutant: mutant.function):
        held = proofs(mutation)
        if not survives(mutation, table, names):
            killed[mutation.function] += 1
            refuted += [str(mutation)] if held else []
        elif held:
            proven += 1
        elif module in (*SHORT, "shuffle", "_bits") and only_a_cast(mutation):
            alike = COMPILER_IS_OFF or survives_compiled(mutation, table)
            casts["the same bits" if alike else "other bits"] += 1
        else:
            survivors.append(str(mutation))
    print(module, f"killed {killed.total()}, equivalent {proven}, casts that NumPy can do without: {dict(casts)}")
    assert set(killed) >= set(table) or not searches.deep, "every function has changes that its cases see"
    assert not survivors, "\n".join(survivors)
    assert not refuted, "\n".join(refuted)  # said to change nothing, and seen
    assert not listed, [EQUIVALENT[i] for i in listed]  # a proof about a line that is gone


@pytest.mark.skipif(COMPILER_IS_OFF, reason="machine code is what is judged")
def test_a_cast_that_machine_code_needs_is_found():
    """Numba shifts a uint32 to the left as a wider number, whose upper bits come back; NumPy's are gone."""
    table, names = TABLES["adam_int8"], namespace(parsed("adam_int8"))
    mutants = list(loop_mutations("adam_int8", frozenset(table)))
    for shifted, alike in (("np.uint32(moments << BYTE >> UP)", False), ("(np.uint32(moments << BYTE) >> UP)", True)):
        after = f"v = (float_of({shifted} + ONE) - NO_ZERO) * v_unit"
        (mutation,) = (each for each in mutants if each.after == after)
        assert only_a_cast(mutation) and survives(mutation, table, names)
        assert survives_compiled(mutation, table) == alike


# Files that compute no number, or have tests of their own: _run.py has test_kernel_mutation_run.py; _factored.py,
# _matrices.py and _measured.py, with their rules, have test_factored.py, test_matrices.py and test_measured.py.
NO_NUMBERS = {"__init__", "_cache", "_jit", "_numba", "_private", "_run", "_shapes", "_store"}
NO_NUMBERS |= {"_factored", "_matrices", "_measured"}
# They compute no number.
BINDING = {"elementwise": {"of_numbers", "cpu_loop", "gpu_loop"}, "_kernel": {"arguments_of", "refuse_other_scalars"}}


def unjudged(module):
    """The functions of a file that have no examples, each in a sentence."""
    return [
        f"{module}.{function.name} has no examples in tests/cases/kernel_loops.py"
        for function in functions(parsed(module))
        if function.name not in TABLES.get(module, {}) and function.name not in BINDING.get(module, ())
    ]


def test_every_function_is_judged():
    """Here, or the rules of the optimizers' files in test_kernel_mutation.py."""
    elsewhere = {*of_rules(), *of_measures(), *of_factors(), *of_matrices(), *NO_NUMBERS}
    for module in sorted({path.stem for path in KERNELS.rglob("*.py")} - elsewhere):
        assert not unjudged(module), "\n".join(unjudged(module))
        tree = parsed(module)
        assert not any(isinstance(node, ast.While) for node in ast.walk(tree)), "a mutant could run for ever"
    assert set(SHORT) == set(of_short_states())


def test_a_function_without_examples_is_named(monkeypatch):
    monkeypatch.delitem(TABLES["moves"], "turn")
    with pytest.raises(AssertionError, match=r"moves\.turn has no examples in tests/cases/kernel_loops\.py"):
        test_every_function_is_judged()


def test_a_place_below_zero_is_seen():
    with pytest.raises(IndexError, match="below 0"):
        np.zeros((2, 3)).view(Guarded)[1, -1] = 1
