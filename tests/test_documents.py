"""The documents say what the code does: their Python blocks run, their commands exist, their files are there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
CHINESE = (ROOT / "README.zh.md").read_text(encoding="utf-8")
CI = (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def blocks(text, language):
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def test_the_python_of_the_readme_runs(capsys, monkeypatch):
    monkeypatch.setattr("tinygrad_lr.cuda.is_available", lambda: False)  # the simulator takes long
    namespace: dict = {}
    for block in blocks(README, "python"):
        exec(compile(block, "README.md", "exec"), namespace)
    said = capsys.readouterr().out
    assert "Epoch 1, Learning Rate: 0.001800, Loss Value: " in said
    assert "step 5250: factor 0.5" in said
    assert abs(namespace["w"].data).max() < 0.1, "the last example reaches the minimum"


def test_the_readme_is_short_and_ci_runs_its_commands():
    assert README.count("\n") < 130
    assert "pip install '.[plot]' && tinygrad-lr train" in README and "pip install -q '.[plot]'" in CI
    assert "pip install -e '.[test]' && pytest" in README and "pip install -q --no-compile -e '.[test]'" in CI


def test_the_chinese_readme_has_the_commands_and_programs_of_the_english_one():
    def code(text):
        every = re.findall(r"^```(\w*)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
        return [(language, re.sub(r" +#.*", "", block)) for language, block in every]

    assert code(CHINESE) == code(README) and len(code(README)) >= 8
    assert CHINESE.count("\n## ") == README.count("\n## ")
    assert "(README.zh.md)" in README and "(README.md)" in CHINESE


@pytest.mark.parametrize("document", ["README.md", "README.zh.md", "CONTRIBUTING.md"])
def test_files_that_a_document_names_exist(document):
    text = (ROOT / document).read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#:]+)\)", text)
    named = re.findall(r"`((?:tinygrad_lr|kernels|examples|benchmarks|tests|\.ci)/[\w./]*)`", text)
    assert links or named
    assert [name for name in links + named if not (ROOT / name).exists()] == []


def test_the_document_of_optimizers_is_what_the_table_says():
    from tinygrad_lr.verify.documents.optimizers import document

    written = (ROOT / "docs" / "optimizers.md").read_text(encoding="utf-8")
    assert written == document(), "python -m tinygrad_lr.verify.documents.optimizers > docs/optimizers.md"


def test_the_python_of_the_document_of_optimizers_prints_what_it_says(capsys):
    text = (ROOT / "docs" / "optimizers.md").read_text(encoding="utf-8")
    (program,), (said,) = blocks(text, "python"), blocks(text, "text")
    exec(compile(program, "docs/optimizers.md", "exec"), {})
    assert capsys.readouterr().out == said
