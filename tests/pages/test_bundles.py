"""The bundles in tinygrad_lr/pages are what the sources in tinygrad_lr/lab/web give, and are in the wheel."""

import configparser
import json
import re
from pathlib import Path

import pytest
from web import WEB, installed, node

from tinygrad_lr.pages.document import BUNDLES


@pytest.fixture(scope="module")
def packages():
    if not (WEB / "package.json").exists():
        pytest.skip("the package is installed without the sources of its pages")
    installed()


def differing(one, other):
    """The names of files that two folders do not both have, with the same bytes."""
    names = {path.name for folder in (one, other) for path in folder.iterdir()}
    content = [{path.name: path.read_bytes() for path in folder.iterdir()} for folder in (one, other)]
    return sorted(name for name in names if content[0].get(name) != content[1].get(name))


def test_the_sources_give_exactly_the_bundles(packages, tmp_path):
    built = node("build.mjs", tmp_path)
    assert built.returncode == 0, built.stdout
    assert differing(tmp_path, BUNDLES) == [], "build them: cd tinygrad_lr/lab/web && npm ci && npm run build"


def test_a_bundle_that_differs_or_is_missing_is_seen(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    for folder in (one, other):
        folder.mkdir()
        (folder / "report.js").write_text("1")
    assert differing(one, other) == []
    (one / "report.js").write_text("2")
    (other / "report.css").write_text("")
    assert differing(one, other) == ["report.css", "report.js"]


def types(*words):
    return node("node_modules/typescript/bin/tsc", "--noEmit", *words)


def test_types_are_right(packages):
    checked = types()
    assert checked.returncode == 0, checked.stdout


def test_a_wrong_type_is_seen(packages, tmp_path):
    (tmp_path / "wrong.ts").write_text('export const wrong: number = "text";\n')
    settings = {"extends": str(WEB / "tsconfig.json"), "include": ["wrong.ts"]}
    (tmp_path / "tsconfig.json").write_text(json.dumps(settings))
    checked = types("--project", tmp_path)
    assert checked.returncode != 0 and "wrong.ts(1,14)" in checked.stdout


def test_every_package_has_an_exact_version():
    wanted = json.loads((WEB / "package.json").read_text())
    versions = [*wanted["dependencies"].values(), *wanted["devDependencies"].values()]
    assert versions and all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in versions)


def test_every_package_of_a_bundle_is_named_with_its_licence():
    licences = (BUNDLES / "THIRD_PARTY").read_text()
    for path in BUNDLES.glob("*.js"):
        packages = re.findall(r"(\S+ \d\S+) \(([^)]+)\)", path.read_text(encoding="utf-8").splitlines()[0])
        assert packages or path.name != "report.js"
        for name, licence in packages:
            assert f"{name}, {licence}, https://" in licences


def strings(language):
    sections = json.loads((WEB / "src" / "strings" / f"{language}.json").read_text(encoding="utf-8"))
    return {(section, name): text for section, texts in sections.items() for name, text in texts.items()}


def test_both_languages_have_every_string_with_the_same_places_for_values():
    english, chinese = strings("en"), strings("zh")
    assert list(english) == list(chinese)
    for name, text in english.items():
        assert sorted(re.findall(r"\{\w+\}", text)) == sorted(re.findall(r"\{\w+\}", chinese[name])), name
        assert text.strip() and chinese[name].strip(), name


def test_the_wheel_has_the_bundles_and_their_licences():
    setup = configparser.ConfigParser()
    setup.read(Path(BUNDLES).parents[2] / "setup.cfg", encoding="utf-8")
    assert setup["options.package_data"]["tinygrad_lr.pages"] == "bundles/*"
    assert "tinygrad_lr/pages/bundles/THIRD_PARTY" in setup["metadata"]["license_files"].split()
