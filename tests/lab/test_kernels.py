"""Tests of tinygrad_lr/lab/translation/kernels.py: in Node every kernel of every optimizer gives the bits that it gives
here."""

from collections import Counter

import numpy as np
import pytest
from node_cases import cut, in_node, same_bits
from optimizer_cases import ROWS

from tinygrad_lr import optim, zeros
from tinygrad_lr.kernels._jit import COMPILER_IS_OFF
from tinygrad_lr.lab.translation import expressions
from tinygrad_lr.lab.translation.kernels import ARRANGING, arranged, laid_out, layout_of, object_of, translated_kernel
from tinygrad_lr.lab.translation.kinds import FLOAT32
from tinygrad_lr.lab.translation.syntax import NotTranslatable
from tinygrad_lr.lab.translation.typed import Translator
from tinygrad_lr.lab.translation.written import arithmetic, binary
from tinygrad_lr.optim.optimizer import kernels

STEPS = (1, 2, 100)
DRAWN = 3  # settings of scalars that no optimizer has
KINDS = ("as in training", "any bits", "special")
SPECIAL = np.array([0, -0.0, np.inf, -np.inf, np.nan, 1e-45, -1e-45, 1.2e-38, 3.4e38, -3.4e38, 1, -1], np.float32)
# As plain Python, a loop takes a hundred times longer.
SIZE = 24 if COMPILER_IS_OFF else 1000
MATRICES = [[(1, 1)], [(1, 2)], [(7, 3)], [(3, 5), (4, 1), (2, 2)]]
VECTORS = [[(1,)], [(5,), (2, 3)]]
if not COMPILER_IS_OFF:
    MATRICES += [[(130, 70)], [(9, 600)]]
    VECTORS += [[(5000,), (513,)]]

SCRIPT = """
const found = [];
for (const { kernel, layout, arrays, grads, scalars } of read(folder)) {
  const given = [arrays[0], null, ...arrays.slice(1), ...layout.map(arrangedArray)];
  grads.forEach((grad, i) => {
    given[1] = grad;
    kernels[kernel].step(given, scalars[i]);
    found.push(...arrays.map((each) => each.slice()));
  });
}
write(folder, found);
"""


def drawn(rng, size, kind):
    """Elements as a training has them; of all magnitudes; or with infinite ones, zeros of both signs and NaN."""
    if kind == "any bits":
        values = rng.integers(0, 2**32, size, dtype=np.uint32).view(np.float32)
        return np.where(np.isfinite(values), values, np.float32(0))
    values = (rng.normal(size=size) * 10.0 ** rng.integers(-6, 4, size)).astype(np.float32)
    return np.where(rng.random(size) < 0.2, rng.choice(SPECIAL, size), values) if kind == "special" else values


def drawn_states(rng, kernel, shapes, kind):
    """The states; most of them have no sign, as averages of squares have none. Of short ones the patterns."""
    for each in layout_of(kernel, shapes)["states"]:
        size = each["shape"][0]
        if each["dtype"] == "uint16":
            yield rng.integers(0, 2**16, size, dtype=np.uint16)
            continue
        if each["dtype"] == "uint32":
            m, v = drawn(rng, size, kind).view(np.uint32), np.abs(drawn(rng, size, kind)).view(np.uint32)
            yield m & np.uint32(0xFFFF0000) | v >> np.uint32(16)
            continue
        values = drawn(rng, size, kind).astype(each["dtype"])
        yield np.abs(values) if rng.random() < 0.8 else values


def examined():
    """Every kernel that an optimizer may need, with its scalars in the settings in which classes are examined."""
    table = optim.OPTIMIZERS
    every = [kernel for cls in table.values() for dtype in cls.state_dtypes for kernel in cls.every_kernel(dtype)]
    found = {id(kernel): (kernel, []) for kernel in every}
    short = [(name, None, {"state_dtype": dtype}) for name, cls in table.items() for dtype in cls.state_dtypes[1:]]
    for name, dialect, variant in [*(row.values for row in ROWS), *short]:
        chosen = {} if dialect is None else {"dialect": dialect}
        optimizer = table[name]([zeros((2, 2)), zeros(2)], **chosen, **variant)
        for group in optimizer.param_groups:
            kernel = optimizer.kernel(group)
            with np.errstate(over="ignore", under="ignore"):
                rows = [
                    [scalars[key] for key in kernel.scalars]
                    for scalars in (optimizer.scalars(group, step) for step in STEPS)
                ]
                found[id(kernel)][1].append(np.array(rows).astype(np.float32))
    return list(found.values())


def drawn_scalars(rng, kernel, rows):
    """Scalars of all sizes, those of a setting, and zeros and ones, mixed; whole numbers as the setting has them."""
    values = (10.0 ** rng.uniform(-9, 2, rows.shape)).astype(np.float32)
    choice = rng.integers(0, 3, rows.shape)
    found = np.select([choice == 0, choice == 1], [rows, values], rng.integers(0, 2, rows.shape)).astype(np.float32)
    return np.where(np.isin(kernel.scalars, ["count", "noise"]), rows, found)


def cases(found):
    """For each kernel, setting and list of shapes: the arrays, and the gradients and scalars of some steps."""
    rng = np.random.default_rng(14)
    for number, (kernel, settings) in enumerate(found):
        distinct = list({rows.tobytes(): rows for rows in settings}.values())
        extra = [drawn_scalars(rng, kernel, distinct[i % len(distinct)]) for i in range(DRAWN)]
        shapes_of = [[(SIZE,)]] if kernel.layout is None else MATRICES + (VECTORS if kernel.dimensions == 1 else [])
        kinds = KINDS[: 1 if kernel.storage else 2 if kernel.layout else 3]
        for i in range(max(len(distinct) + DRAWN, len(shapes_of))):
            rows, shapes = [*distinct, *extra][i % (len(distinct) + DRAWN)], shapes_of[i % len(shapes_of)]
            for kind in kinds:
                size = sum(int(np.prod(shape)) for shape in shapes)
                arrays = [drawn(rng, size, kind), *drawn_states(rng, kernel, shapes, kind)]
                grads = [drawn(rng, size, kind) for _ in STEPS]
                yield number, kernel, shapes, kind, arrays, grads, list(rows)


def here(kernel, shapes, arrays, grads, scalars):
    """What the kernel makes of copies of the arrays, after each step."""
    arrays = [array.copy() for array in arrays]
    layout = list(laid_out(kernel, shapes).values())
    found = []
    with np.errstate(all="ignore"):
        for grad, each in zip(grads, scalars, strict=True):
            kernel.loop(arrays[0], grad, *arrays[1:], *layout, each)
            found += [array.copy() for array in arrays]
    return found


def named(kernel):
    found = next(name for name, each in kernels(kernel.module).items() if each is kernel)
    return f"{kernel.module.rpartition('.')[2]} {found}"


def compared(found, folder):
    """Of each kernel and case, how many numbers differ in Node; and of each kernel how many of its ordinary numbers are
    finite, less how many are not."""
    translator = Translator()
    objects = ",".join(object_of(translated_kernel(translator, kernel)) for kernel, _ in found)
    script = f"{translator.text}{ARRANGING}const kernels = [{objects}];\n{SCRIPT}"
    every = list(cases(found))
    given = [
        {
            "kernel": number,
            "layout": layout_of(kernel, shapes)["layout"],
            "arrays": arrays,
            "grads": grads,
            "scalars": scalars,
        }
        for number, kernel, shapes, _, arrays, grads, scalars in every
    ]
    expected = [here(kernel, shapes, *rest) for _, kernel, shapes, _, *rest in every]
    written = cut(in_node(script, folder, given), [array for each in expected for array in each])
    wrong, finite = Counter(), Counter()
    for (_, kernel, shapes, kind, *_), arrays in zip(every, expected, strict=True):
        for i, array in enumerate(arrays):
            wrong[f"{named(kernel)} {shapes} {kind}, array {i}"] += int((~same_bits(written.pop(0), array)).sum())
            if kind == KINDS[0]:
                finite[named(kernel)] += 2 * int(np.isfinite(array).sum()) - array.size
    return {name: count for name, count in wrong.items() if count}, finite


def test_every_kernel_gives_the_same_bits(tmp_path):
    found = examined()
    assert all(settings for _, settings in found)
    wrong, finite = compared(found, tmp_path)
    assert wrong == {}
    assert all(count > 0 for count in finite.values()), finite  # most numbers say something


def test_products_that_are_not_rounded_are_seen_in_kernels_of_each_kind(tmp_path, monkeypatch):
    def forgetful(left, operator, right, kind):
        if operator == "*" and kind == FLOAT32:
            return binary(left, operator, right, kind)
        return arithmetic(left, operator, right, kind)

    monkeypatch.setattr(expressions, "arithmetic", forgetful)
    rows = [row for row in examined() if named(row[0]) in ("adam plain", "lamb plain", "adafactor plain", "muon plain")]
    wrong, _ = compared(rows, tmp_path)
    assert len({name.split()[0] for name in wrong}) == 4, wrong


def test_a_layout_of_large_numbers_is_refused():
    with pytest.raises(NotTranslatable, match="a layout with the number 4294967296"):
        arranged(np.array([2**32]))
