"""The page's texts: both languages have every one, with the same places for values."""

import json
import re

import pytest

STRINGS = pytest.importorskip("web").WEB / "src" / "strings"


def texts(language):
    return json.loads((STRINGS / f"lab.{language}.json").read_text(encoding="utf-8"))


def missing(one, other):
    """The keys that one has and the other has not, or whose values stand at other names."""

    def places(given, key):
        return sorted(re.findall(r"{(\w+)}", given[key])) if key in given else None

    return sorted(key for key in one.keys() | other.keys() if places(one, key) != places(other, key))


def test_no_text_is_missing_in_either_language():
    english, chinese = texts("en"), texts("zh")
    assert english.keys() == chinese.keys()
    assert missing(english, chinese) == []
    assert [key for key, text in {**english, **chinese}.items() if not text.strip()] == []


def test_chinese_texts_are_chinese():
    foreign = [key for key, text in texts("zh").items() if not re.search("[\u4e00-\u9fff：；]", text)]
    assert foreign == []


def test_english_texts_are_english():
    assert [key for key, text in texts("en").items() if re.search("[\u4e00-\u9fff]", text)] == []


def test_a_missing_text_or_value_is_seen():
    assert missing({"a": "x {n}", "b": "y"}, {"a": "x {m}", "b": "y"}) == ["a"]
    assert missing({"a": "x"}, {}) == missing({}, {"a": "x"}) == ["a"]


def test_every_text_is_used():
    sources = "".join(path.read_text(encoding="utf-8") for path in (STRINGS.parent / "lab").rglob("*.ts"))
    computed = ("surface_", "state_", "number_", "scalar_", "verdict_", "refused_")  # by names, verdicts, refusals
    unused = [key for key in texts("en") if f'"{key}"' not in sources and not key.startswith(computed)]
    assert unused == []
