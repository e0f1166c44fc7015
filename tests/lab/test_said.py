"""The Chinese of what tables and docstrings say (lab/chinese.json), and of Python's frequent refusals."""

import json
import re
from pathlib import Path

from node_cases import in_node

from tinygrad_lr import lab, tensor
from tinygrad_lr.lab.engine import optimizer_info, schedule_info, surface_info
from tinygrad_lr.lab.said import chinese, said
from tinygrad_lr.lab.surfaces import SURFACES
from tinygrad_lr.optim.table import OPTIMIZERS, Entry
from tinygrad_lr.schedules import constant, warmup
from tinygrad_lr.schedules.table import SCHEDULES

WEB = f"{lab.__path__[0]}/web/src"
KEPT = re.compile(r"`[^`]*`|\barXiv:[\d.]+|\d+(?:\.\d+)*|<- .*?(?=[,;:.] |\.$|$)")  # what both languages say alike


def sentences():
    """What the page says of the tables' rows, each once, in English."""
    optimizers = [optimizer_info(name) for name in OPTIMIZERS]
    rows = [*optimizers, *map(schedule_info, SCHEDULES.values()), *map(surface_info, SURFACES.values())]
    rows += [each for info in optimizers for each in info["hyperparameters"]]
    return (
        {row["about"][0] for row in rows}
        | {info["family"][0] for info in optimizers}
        | {Entry._field_defaults["family"]}
    )


def lost(english, other):
    """What stands in a sentence and has to stand in its translation, and does not."""
    return [part for part in KEPT.findall(english) if part not in other]


def test_every_sentence_of_the_tables_has_chinese():
    missing = sorted(sentences() - set(chinese()))
    assert missing == [], "tinygrad_lr/lab/chinese.json lacks these; add each, as English: Chinese"


def test_no_sentence_is_there_that_nobody_asks_for():
    idle = sorted(set(chinese()) - sentences())
    assert idle == [], "no table says these any more; take them out of tinygrad_lr/lab/chinese.json"


def test_the_chinese_is_chinese_and_has_the_formulas_and_numbers():
    assert [text for text in chinese().values() if not re.search("[\u4e00-\u9fff，；：]", text)] == []
    assert {text: lost(text, other) for text, other in chinese().items() if lost(text, other)} == {}


def test_a_lost_formula_or_number_is_seen():
    assert lost("G: theta <- theta - lr g; see `x`, at least 0.5", "theta <- theta - g") == [
        "<- theta - lr g",
        "`x`",
        "0.5",
    ]


def test_a_sentence_without_chinese_stays_english():
    assert said("an optimizer of your own") == ["an optimizer of your own"]
    assert said("ascend") == ["ascend", chinese()["ascend"]]


# --- refusals ---------------------------------------------------------------------------------------------------------

NUMBERS = (None, -1, -0.5, 0, 0.5, 1, 1.5, 2, 3, 100, 1e300)  # what somebody may write into a field
LISTS = ((), (-1,), (0,), (1, 2), (0.5, 0.5), (-1, 0.5), (2, 1), (1, 1, 1), (0.5, 0.9, 0.9), (0.5, 0.9, 2), (1.5, 2))
WRITTEN = {"number": NUMBERS, "integer": NUMBERS, "numbers": LISTS, "integers": LISTS}  # by the fields' kinds
COVERED = 0.98  # of them have a sentence of their own in Chinese
SPEAKING = """
import(`file://${WEB}/lab/refusals.ts`).then(({ inWords }) => {
  const { english, chinese, messages } = JSON.parse(fs.readFileSync(`${folder}/given.json`, "utf8"));
  const found = messages.map((message) => [inWords(message, english, english), inWords(message, english, chinese)]);
  fs.writeFileSync(`${folder}/found.bin`, JSON.stringify(found));
});
"""


def refusals():
    """What Python says of values in the page's fields that it refuses."""
    for name, cls in OPTIMIZERS.items():
        for row in optimizer_info(name)["hyperparameters"]:
            yield from refused(lambda cls=cls, **given: cls([tensor([[1.0, 2.0]], requires_grad=True)], **given), row)
    usual = {"integer": 10, "number": 0.5, "integers": [5], "numbers": [1, 0.1]}
    for row in SCHEDULES.values():
        arguments = schedule_info(row)["arguments"]
        others = {each["name"]: usual[each["kind"]] for each in arguments if each["required"]}
        for each in arguments:
            yield from refused(lambda row=row, others=others, **given: row.build(**{**others, **given}), each)
    for schedule in (warmup(10), constant()):
        for value in NUMBERS:
            yield from refused_of(lambda schedule=schedule, value=value: schedule.repeat(value))
            yield from refused_of(lambda schedule=schedule, value=value: schedule.shift(value))
            yield from refused_of(lambda schedule=schedule, value=value: schedule * value)
            yield from refused_of(lambda schedule=schedule, value=value: schedule.clip(value, 0.7))
            yield from refused_of(lambda schedule=schedule, value=value: schedule.then(constant(value)))
    yield from refused_of(lambda: (constant(1e200) * 1e200)(0))


def refused_of(act):
    try:
        act()
    except (TypeError, ValueError, OverflowError) as error:
        yield str(error)


def refused(build, row):
    for value in WRITTEN.get(row["kind"], ()):
        yield from refused_of(lambda value=value: build(**{row["name"]: value}))


def test_frequent_refusals_have_words_in_chinese_and_no_sentence_is_idle(tmp_path):
    english, other = (json.loads(Path(f"{WEB}/strings/lab.{each}.json").read_text("utf-8")) for each in ("en", "zh"))
    messages = list(refusals())
    given = {"english": english, "chinese": other, "messages": messages}
    found = json.loads(in_node(f"const WEB = {json.dumps(WEB)};{SPEAKING}", tmp_path, given))
    covered = [(message, text) for message, (same, text) in zip(messages, found, strict=True) if same == message]
    assert all(text is None for message, (same, text) in zip(messages, found, strict=True) if same != message)
    assert COVERED < len(covered) / len(messages) < 1
    assert [text for _, text in covered if re.search("[a-z]{2,} [a-z]{2,}", text)] == []  # no English is left in it
    for key in (key for key in english if key.startswith("refused_")):
        pattern = re.sub(r"\\{\w+\\}", ".+", re.escape(english[key]))
        assert any(re.fullmatch(pattern, message) for message in messages), key
