"""The reports in a browser: what a person sees, does with the mouse and the keyboard, and whatever the names are."""

import re
from pathlib import Path

import pytest
from browser import HOSTILE

from tinygrad_lr.training import History, Reported, html_report

AXE = Path(__file__).parents[2] / "tinygrad_lr" / "lab" / "web" / "node_modules" / "axe-core" / "axe.min.js"


def history_of(epochs=6, groups=("all",), norms=True, factor=1.0):
    """Five steps an epoch; a value of each kind that no other has."""
    found = History(groups, norms)
    for step in range(5 * epochs):
        rates = tuple(0.001 * (step + 1) * (group + 1) for group in range(len(groups)))
        found.append(step // 5, rates, factor * (2 + step % 7) / (step + 1))
        if step % 5 == 4:
            found.set_held_out(factor * 3.25 / (step + 1))
            if norms:
                found.set_norms(7.5 / (step + 1), [0.125 / (step + 1 + group) for group in range(len(groups))])
    return found


@pytest.fixture
def one(open_page):
    return open_page(html_report([Reported("diabetes", history_of(groups=("body", "head")))]))


def legend(page, chart):
    """What the legend below a chart says, by label."""
    rows = page.locator(".chart").nth(chart).locator(".u-series")
    texts = [[each.inner_text() for each in row.locator("th, td").all()] for row in rows.all()]
    return {label.strip(): value.strip() for label, value in texts}


def point(page, chart, share):
    """Move the mouse to a share of a chart's width."""
    box = page.locator(".u-over").nth(chart).bounding_box()
    page.mouse.move(box["x"] + share * box["width"], box["y"] + box["height"] / 2)


def seen(page, chart=0):
    """From where to where the axis of a chart goes, as its numbers say."""
    page.locator(".u-over").nth(chart).hover()
    values = []
    for share in (0.001, 0.999):
        point(page, chart, share)
        values.append(float(re.match(r"[\d.]+", next(iter(legend(page, chart).values())))[0]))
    return values


def test_the_values_under_the_mouse_are_those_of_the_run_in_every_chart(one):
    history = history_of(groups=("body", "head"))
    point(one, 0, 0.5)
    loss, rates, gradient, update = (legend(one, chart) for chart in range(4))
    assert loss["epoch"] == "3, step 15"
    assert loss["training, each step"] == f"{history.loss[15]:.6g}"
    assert loss["held out, after the epoch"] == f"{history.held_out_loss[14]:.6g}"
    assert loss["training, mean of the epoch"] in [f"{mean:.6g}" for mean in history.epoch_means()[1][2:4]]
    assert [rates["body"], rates["head"]] == [f"{rate:.6g}" for rate in history.lr[15]]
    assert gradient["norm of all gradients"] == f"{history.gradient_norm[14]:.6g}"
    assert [update["body"], update["head"]] == [f"{ratio:.6g}" for ratio in history.update_ratio[14]]


def test_dragging_zooms_every_chart_and_a_double_click_shows_the_whole_run(one):
    assert seen(one) == [0.0, pytest.approx(6, abs=0.2)]
    point(one, 0, 0.25)
    one.mouse.down()
    point(one, 0, 0.5)
    one.mouse.up()
    for chart in (0, 1):
        assert seen(one, chart) == [pytest.approx(1.5, abs=0.3), pytest.approx(3, abs=0.3)]
    one.get_by_role("button", name="Zoom out").nth(1).click()
    assert seen(one)[1] > 3.2
    one.locator(".u-over").first.dblclick()
    assert seen(one) == [0.0, pytest.approx(6, abs=0.2)]


def test_the_keyboard_moves_zooms_and_says_the_values(one):
    chart, said = one.locator(".chart").first, one.locator("[role=status]").first
    chart.focus()
    for _ in range(3):
        one.keyboard.press("ArrowRight")
    assert said.inner_text().startswith("0.4, step 2; training, each step: ")
    one.keyboard.press("End")
    assert said.inner_text().startswith("6, step 30; ")
    one.keyboard.press("Home")
    one.keyboard.press("+")
    assert seen(one)[1] == pytest.approx(3.6, abs=0.3)
    chart.focus()
    one.keyboard.press("0")
    assert seen(one)[1] == pytest.approx(6, abs=0.2)


def test_scale_axis_and_language_can_be_chosen(one):
    unit = one.locator(".unit").first
    log = "log scale" in unit.inner_text()
    one.get_by_role("button", name=re.compile("Show on a l")).first.click()
    assert ("log scale" in unit.inner_text()) is not log
    one.get_by_role("button", name="Steps").click()
    assert seen(one)[1] == pytest.approx(30, abs=1)
    one.get_by_role("button", name="中文").click()
    assert one.locator("html").get_attribute("lang") == "zh"
    assert one.locator("h2").all_inner_texts()[:2] == ["损失", "学习率"]
    assert one.get_by_role("button", name="步数").get_attribute("aria-pressed") == "true"
    one.get_by_role("button", name="English").click()
    assert one.locator("h2").all_inner_texts()[:2] == ["Loss", "Learning rate"]


def test_several_runs_stand_over_one_another_with_what_differs(open_page):
    runs = [
        Reported("adam", history_of(), settings={"lr": "0.1", "batch size": "32"}, results={"R2": "0.5"}),
        Reported("old", history_of(3, norms=False, factor=2), settings={"lr": "0.2", "batch size": "32"}),
        Reported("bad", history_of(2), "diverged", "the loss became inf at step 10", settings={"lr": "9"}),
    ]
    page = open_page(html_report(runs, language="en"))
    assert page.locator("h1").inner_text() == "adam, old, bad"
    diverged = ["bad: This run diverged in epoch 3, at step 10.", "the loss became inf at step 10"]
    assert page.locator(".notice p").all_inner_texts() == diverged
    differing = page.locator("section", has_text="What differs").locator("tr").all_inner_texts()
    assert differing[1:] == ["lr\t0.1\t0.2\t9", "batch size\t32\t32\t"]
    assert page.get_by_text("Not measured in old.").count() == 2
    point(page, 0, 0.9)
    there = legend(page, 0)
    assert there["adam"] and there["old"] == there["bad"] == "", "no value is shown where a run has none"


def test_where_some_epochs_were_measured_alone_that_is_said(open_page):
    history = History(norms=True)
    for epoch in range(6):
        history.append(epoch, (0.1,), 1.0)
        if epoch % 3 == 2:
            history.set_norms(1.0, [0.5])
    page = open_page(html_report([Reported("a", history)]))
    assert page.get_by_text("Of every 3 epochs, one is measured.").count() == 2


@pytest.mark.parametrize("status", ["diverged", "interrupted"])
def test_a_run_that_made_no_step_says_so(open_page, status):
    page = open_page(html_report([Reported("none", History(norms=True), status, "the loss became nan at step 0")]))
    assert "No step was made" in page.locator(".notice").inner_text() and page.locator(".chart").count() == 0


def test_values_that_are_no_numbers_leave_a_gap_and_no_nan_is_shown(open_page):
    history = history_of()
    for row in (4, 9):
        history._held_out[row] = float("inf")
        history._norms[row] = (float("nan"), float("inf"))
    page = open_page(html_report([Reported("gaps", history)]))
    for share in (0.1, 0.3, 0.9):
        point(page, 0, share)
        assert not re.search("NaN|Infinity|undefined|null", page.locator("main").inner_text())


def test_hostile_names_are_shown_as_they_are_and_do_nothing(open_page):
    names = [name for name in HOSTILE if "\ud800" not in name]
    runs = [Reported(name, history_of(2, (name, "b")), settings={name: name}, results={name: name}) for name in names]
    page = open_page(html_report(runs, loss_name=names[0]))
    point(page, 0, 0.5)
    shown = page.locator("main").evaluate("(each) => each.textContent")
    assert all(name in shown for name in names)
    assert page.locator("img, main script").count() == 0
    assert page.locator(".chart").first.locator(".u-label").count() == len(names) + 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1200, 360])
def test_nothing_is_wider_than_the_window_and_nothing_moves(open_page, width, scheme):
    runs = [Reported(name, history_of(), settings={"lr": "0.1"}, results={"R2": "0.5"}) for name in ("a", "b")]
    page = open_page(html_report(runs), width=width, scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("document.getAnimations().length") == 0
    page.set_viewport_size({"width": width // 2 + 160, "height": 700})
    page.wait_for_function("document.querySelector('.u-wrap').clientWidth < innerWidth")
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(255, 255, 255)") is (scheme == "light")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_violation(open_page, scheme):
    if not AXE.exists():
        pytest.skip("axe-core is not there: npm ci in tinygrad_lr/lab/web")
    runs = [Reported(name, history_of(), "diverged", "why", results={"R2": "0.5"}) for name in ("a", "b")]
    page = open_page(html_report(runs), scheme=scheme)
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run()")
    assert [(each["id"], each["nodes"][0]["html"]) for each in found["violations"]] == []
    assert len(found["passes"]) > 10
