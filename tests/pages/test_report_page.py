"""The reports in a browser: what a person sees, does with the mouse and the keyboard, and whatever the names are."""

import re
from pathlib import Path

import numpy as np
import pytest
from browser import HOSTILE

from tinygrad_lr.training import History, Reported, html_report, train_table
from tinygrad_lr.training.tables.reported import reported
from tinygrad_lr.training.tables.tasks import TASKS

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


# --- what is written into the charts ---------------------------------------------------------------------------------


def written(page):
    """The texts of each chart, with their edges (left, right, bottom) and the chart's (top, width), in pixels."""
    page.evaluate(
        """() => {
            window.written = new Map();
            const fillText = CanvasRenderingContext2D.prototype.fillText;
            CanvasRenderingContext2D.prototype.fillText = function (text, x, y, ...more) {
                const wide = this.measureText(text).width;
                const left = { center: x - wide / 2, right: x - wide, end: x - wide }[this.textAlign] ?? x;
                const known = (window.written.get(this.canvas) ?? []).filter((each) => each.text !== text);
                window.written.set(this.canvas, [...known, { text, left, right: left + wide, bottom: y }]);
                return fillText.call(this, text, x, y, ...more);
            };
        }"""
    )
    page.get_by_role("button", name="中文").click()
    page.wait_for_function("window.written.size >= document.querySelectorAll('.chart').length")
    return page.evaluate(
        """() => [...document.querySelectorAll(".chart")].map((chart) => {
            const canvas = chart.querySelector("canvas");
            const top = chart.querySelector(".u-over").getBoundingClientRect().top - canvas.getBoundingClientRect().top;
            return { top, width: canvas.width, texts: window.written.get(canvas) };
        })"""
    )


def of_rates(rates, losses=None, status="finished", **more):
    """A run of an epoch for each rate, of one step."""
    history = History(norms=True)
    for epoch, rate in enumerate(rates):
        history.append(epoch, (rate,), 1.0 if losses is None else losses[epoch])
        history.set_norms(1.0, [0.5])
    return Reported(more.pop("name", "a"), history, status, **more)


def test_the_last_number_of_an_axis_is_whole(open_page):
    history = History()
    history.extend(np.arange(10_000), np.ones(10_000, np.int64), np.ones((10_000, 1)), np.ones(10_000))
    for chart in written(open_page(html_report([Reported("a", history)]))):
        (last,) = [each for each in chart["texts"] if each["text"] == "10,000"]
        assert last["right"] <= chart["width"]


def test_the_axis_of_one_epoch_ends_with_it(open_page):
    page = open_page(html_report([Reported("a", history_of(1))]))
    ends = [[each["text"] for each in chart["texts"]] for chart in written(page)]
    assert all("1" in texts and "1.2" not in texts for texts in ends[2:])


def test_that_a_run_diverged_is_written_above_the_curves(open_page):
    runs = [of_rates([0.1] * count, status="diverged", name=f"run{count}") for count in (2, 3)]
    for chart in written(open_page(html_report(runs))):
        marks = [each for each in chart["texts"] if "发散" in each["text"]]
        assert len(marks) == len({each["bottom"] for each in marks}) == 2
        assert all(0 < each["bottom"] < chart["top"] and each["right"] <= chart["width"] for each in marks)


def test_of_many_runs_that_diverged_one_row_has_the_names(open_page):
    runs = [of_rates([0.1] * count, status="diverged", name=f"run{count}") for count in range(2, 8)]
    page = open_page(html_report(runs), width=360)
    for chart in written(page):
        mark = [each for each in chart["texts"] if "发散" in each["text"]][-1]  # at the width that it has now
        assert mark["text"].startswith("6 次训练发散：run2, run3") and mark["text"].endswith("…")
        assert mark["left"] > 0 and mark["right"] <= chart["width"] and mark["bottom"] < chart["top"]
    page.get_by_role("button", name="放大").first.click()
    page.wait_for_function("() => [...written.values()].every((all) => all.at(-1).text.startsWith('4 次训练发散'))")


def test_a_log_axis_has_numbers_however_far_it_reaches_and_its_highest_dot_is_whole(open_page):
    page = open_page(html_report([of_rates([0.1] * 3, [1.0, 1e-30, 1e43])]))
    numbers = [each["text"] for each in written(page)[0]["texts"]]
    assert len([each for each in numbers if re.match(r"1e[+−]\d\d$", each)]) >= 3
    assert any("−" in each for each in numbers) and not any("-" in each for each in numbers)
    above = page.evaluate(
        """() => {
            const canvas = document.querySelector(".chart canvas");
            const over = document.querySelector(".u-over").getBoundingClientRect();
            const top = Math.round(over.top - canvas.getBoundingClientRect().top);
            const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
            const isOfCurve = (at) => data[at + 3] > 200 && data[at + 2] > data[at] + 80;
            for (let row = 0; row < canvas.height; row++)
                for (let column = 0; column < canvas.width; column++)
                    if (isOfCurve(4 * (row * canvas.width + column))) return row - top;
        }"""
    )
    assert above >= 2


def test_a_huge_rate_does_not_flatten_the_others(open_page):
    runs = [of_rates([0.0, 0.1, 0.05], name="a"), of_rates([0.0, 1e6, 5e5], name="huge")]
    page = open_page(html_report(runs))
    card = page.locator("figure", has_text="Learning rate")
    assert card.locator(".unit").inner_text() == "learning rate (log scale; 0 lies below the axis)"
    card.get_by_role("button", name="Show on a linear scale").click()
    assert not card.locator(".unit").is_visible()
    alone = open_page(html_report(runs[:1])).locator("figure", has_text="Learning rate")
    alone.get_by_role("button", name="Show on a log scale").click()
    assert "0 lies below the axis" in alone.locator(".unit").inner_text()


# --- what is said ----------------------------------------------------------------------------------------------------


def test_a_run_without_a_whole_epoch_has_no_mean(open_page):
    page = open_page(html_report([Reported("a", of_rates([0.1]).history, "diverged", steps_in_epoch=3)]))
    assert list(legend(page, 0)) == ["epoch", "training, each step"]
    runs = [Reported("b", of_rates([0.1]).history, "diverged", steps_in_epoch=3), of_rates([0.1, 0.1])]
    page = open_page(html_report(runs))
    assert list(legend(page, 0)) == ["epoch", "a"]
    assert page.get_by_text("No epoch was completed in b, so there is no mean.").is_visible()


def test_other_losses_and_other_data_are_warned_of(open_page):
    def said(*pairs):
        runs = [of_rates([0.1], name=f"run {loss} {data}", loss=loss, data=data) for loss, data in pairs]
        page = open_page(html_report(runs, language="en"))
        return page.locator(".notice").all_inner_texts(), list(legend(page, 0))[1:]

    assert said(("mse", "1"), ("mse", "1"))[0] == []
    (warning,), labels = said(("mse", "1"), ("l1", "2"))
    assert re.sub(r"\s+", " ", warning).endswith("their heights: run mse 1: mse run l1 2: l1")
    assert labels == ["run mse 1 (mse)", "run l1 2 (l1)"]
    (warning,), labels = said(("mse", "1"), ("mse", "2"))
    assert warning.startswith("These runs are of different data") and labels == ["run mse 1", "run mse 2"]


def test_numbers_are_short_and_whole_where_one_looks_closer(open_page):
    settings = {"weight_decay": "0.012145748987854251", "betas": "0.9, 0.9990000000001", "--seed": "12345678901"}
    settings |= {"file": "a-0.012145748987854251.csv"}
    page = open_page(html_report([Reported("a", history_of(), settings=settings, results={"R2": "-7.97044e+37"})]))
    cells = {each.inner_text(): each.get_attribute("title") for each in page.locator("td").all()}
    assert cells["0.0121457"] == "0.012145748987854251" and cells["0.9, 0.999"] == "0.9, 0.9990000000001"
    assert {"12345678901", "a-0.012145748987854251.csv", "−7.97044e+37"} <= {each for each in cells if not cells[each]}
    runs = [Reported(str(last), history_of(), settings={"lr": f"0.10000000{last}"}) for last in (1, 2)]
    page = open_page(html_report(runs))
    differing = page.locator("section", has_text="What differs").locator("td").all_inner_texts()
    assert differing == ["0.100000001", "0.100000002"]
    assert not page.get_by_role("button", name="All digits").count()


def test_a_button_shows_all_digits(open_page):
    page = open_page(html_report([Reported("a", history_of(), settings={"eps": "1.23456789e-08, 2", "lr": "0.5"})]))
    button = page.get_by_role("button", name="All digits")
    cells = page.locator("section", has_text="Settings").locator("td")
    assert cells.all_inner_texts() == ["1.23457e−8, 2", "0.5"]
    button.press("Enter")
    assert cells.all_inner_texts() == ["1.23456789e−8, 2", "0.5"]
    button.click()
    assert cells.all_inner_texts() == ["1.23457e−8, 2", "0.5"]


def test_a_dark_report_is_printed_light_and_is_dark_again(open_page):
    page = open_page(html_report([of_rates([0.1] * 3), of_rates([0.2] * 3, name="b")]), scheme="dark")
    seen = """() => [...document.querySelectorAll("canvas, .u-marker")].map(
        (each) => each.tagName === "CANVAS" ? each.toDataURL() : getComputedStyle(each).borderColor)"""
    page.wait_for_function("() => [...document.querySelectorAll('.u-wrap')].every((each) => each.clientWidth > 600)")
    pictures = {}
    for name, act in {
        "dark": lambda: None,
        "light": lambda: page.emulate_media(color_scheme="light"),
        "dark again": lambda: page.emulate_media(color_scheme="dark"),
        "printed": lambda: page.evaluate("() => { dispatchEvent(new Event('beforeprint')); }"),
        "dark afterwards": lambda: page.evaluate("() => { dispatchEvent(new Event('afterprint')); }"),
    }.items():
        act()
        page.evaluate("async () => { for (let i = 0; i < 2; i++) await new Promise(requestAnimationFrame); }")
        pictures[name] = list(map(hash, page.evaluate(seen)))
    assert pictures["printed"] == pictures["light"]
    assert pictures["dark"] == pictures["dark again"] == pictures["dark afterwards"]
    assert all(one != other for one, other in zip(pictures["dark"], pictures["light"], strict=True))


def test_groups_without_names_are_numbered(open_page):
    page = open_page(html_report([Reported("a", history_of(groups=("0", "1")))]))
    assert list(legend(page, 1))[1:] == ["group 0", "group 1"]


def test_no_word_of_a_table_is_broken_on_a_phone(open_page):
    settings = {"task": "regression", "decoupled_weight_decay": "false", "SHA-256 of the table": "3b271426c1bd"}
    page = open_page(
        html_report([Reported("a", history_of(), settings=settings, results={"R2": "-7.97044e+37"})]), width=360
    )
    broken = page.evaluate(
        """() => [...document.querySelectorAll("td, th")].flatMap((cell) => [...cell.childNodes])
            .filter((node) => node.nodeType === 3).flatMap((node) =>
            [...node.textContent.matchAll(/\\S+/g)].filter(({ 0: word, index }) => {
                const range = document.createRange();
                range.setStart(node, index);
                range.setEnd(node, index + word.length);
                return range.getClientRects().length > 1;
            }).map(([word]) => word))"""
    )
    assert broken == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


ENGLISH_IN_CHINESE = {"RMSE", "MAE", "AUC", "Huber", "SHA", "R", "inf", "nan", "tinygrad_lr", "epoch", "y", "kind"}


def english(texts):
    """The words of texts that are not Chinese, but for names that are the same in both languages."""
    return {word for text in texts for word in re.findall(r"[A-Za-z_]+", text)} - ENGLISH_IN_CHINESE


def test_what_python_wrote_is_chinese_in_a_chinese_report(open_page):
    rows = {"x": np.arange(40.0), "y": np.arange(40.0) % 7, "kind": ["a", "b"] * 20}
    runs = [
        train_table(rows, "y", epochs=2, loss=loss, validation=0.2, patience=1, folds=2)
        for loss in TASKS["regression"].losses
    ]
    runs.append(train_table(rows, "kind", epochs=2, held_out=0))
    with np.errstate(all="ignore"):
        runs.append(train_table(rows, "y", epochs=9, optimizer="sgd", lr=1e30))
    assert runs[-1].status == "diverged"
    for run in runs:
        page = open_page(html_report([reported(run.description, run.history, "名")], language="zh"))
        results = page.locator("section", has_text="结果")
        worded = [page.locator("tr", has=page.get_by_text(name, exact=True)) for name in ("损失", "任务")]
        texts = results.locator("th, td").all_inner_texts() + [each.locator("td").first.inner_text() for each in worded]
        texts += page.locator(".notice, .unit").all_inner_texts()
        numbers = re.compile(r"[-−]?[\d.]+e[+−-]?\d+")
        assert english(numbers.sub("", text) for text in texts) == set()


def test_a_text_that_is_in_no_table_stays_as_it_is(open_page):
    run = Reported(
        "a", history_of(), "diverged", "something: else", settings={"loss": "MyLoss()"}, results={"loss: F1": "1"}
    )
    page = open_page(html_report([run], language="zh"))
    assert page.locator(".notice p").last.inner_text() == "something: else"
    assert page.get_by_text("MyLoss()").is_visible() and page.get_by_text("loss: F1").is_visible()
