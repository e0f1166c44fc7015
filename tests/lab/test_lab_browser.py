"""The laboratory in a real browser: each section does what it says, and nothing is asked of anybody."""

import random
import re

import numpy as np
import pytest
from laboratory import STRANGE, address, fragment, picture, places, said, section, settle

from tinygrad_lr import lab
from tinygrad_lr.data.tables import Table
from tinygrad_lr.optim.table import OPTIMIZERS
from tinygrad_lr.schedules import cosine, warmup
from tinygrad_lr.verify import spec


def test_all_sections_are_there_and_say_nothing_strange(opened):
    page = opened()
    assert page.title() == "The learning-rate laboratory"
    headings = page.locator("main h2").all_inner_texts()
    assert [each[:2] for each in headings] == [f"{number}." for number in range(1, 8)]
    for name in page.locator("main section").evaluate_all("(all) => all.map((each) => each.id)"):
        section(page, name)
    assert not any(word in said(page) for word in STRANGE)


# --- what one can do --------------------------------------------------------------------------------------------------


def test_a_click_on_the_map_sets_the_start_and_back_takes_it_back(opened):
    page = opened()
    canvas = section(page, "surface").locator("canvas").first
    box = canvas.bounding_box()
    before = places(page)["racers"]["SGD"][0]
    canvas.click(position={"x": box["width"] / 2, "y": box["height"] / 3})
    settle(page)
    there = [float(field.input_value()) for field in section(page, "surface").get_by_label(re.compile("^start")).all()]
    assert address(page)["start"] == f"%5B{there[0]:g}%2C{there[1]:g}%5D"
    assert places(page)["racers"]["SGD"][0] == pytest.approx(there, abs=1e-6)
    page.go_back()
    settle(page)
    assert "start" not in address(page) and places(page)["racers"]["SGD"][0] == before
    page.go_forward()
    settle(page)
    assert places(page)["racers"]["SGD"][0] == pytest.approx(there, abs=1e-6)


def test_scrubbing_moves_every_picture(opened):
    page = opened({"step": 50})
    before = [picture(page, name) for name in ("one", "surface", "glass")]
    scrub = page.locator(".clock input[type=range]")
    scrub.focus()
    for _ in range(40):
        scrub.press("ArrowLeft")
    settle(page)
    assert page.locator(".clock output").inner_text() == "step 10 of 100"
    assert all(picture(page, name) != old for name, old in zip(("one", "surface", "glass"), before, strict=True))


PLAY = """([each, until]) => new Promise((done) => {
    const frame = requestAnimationFrame;
    let [now, last, more] = [0, 0, 5];
    performance.now = () => now;
    window.requestAnimationFrame = (act) => frame((at) => {
        if (at > last) now += each;
        last = at;
        act(now);
    });
    const [play, scrub] = ["button", "input[type=range]"].map((name) => document.querySelector(`.clock ${name}`));
    const seen = new Set();
    const plays = () => play.getAttribute("aria-label") === "Pause";
    play.click();
    const look = () => {
        seen.add(Number(scrub.value));
        if (plays() && Number(scrub.value) >= until) play.click();
        if (plays() || more--) return frame(look);
        delete performance.now;
        window.requestAnimationFrame = frame;
        done([...seen]);
    };
    frame(look);
})"""  # by a clock of which each frame takes so many milliseconds, play until a step; gives the steps that were seen


def test_step_buttons_and_play(opened):
    page = opened({"step": 3, "steps": 40}, motion="no-preference")
    page.get_by_role("button", name="One step forth").click()
    settle(page)
    assert page.locator(".clock output").inner_text() == "step 4 of 40"
    seen = page.evaluate(PLAY, [750, 14])
    assert seen[:3] == [4, 9, 14] and len(seen) < 5, "it stands where it was paused"
    assert page.evaluate(PLAY, [750, 40])[-3:] == [34, 39, 40]
    assert page.evaluate(PLAY, [750, 40]) == [*range(0, 40, 5), 40]


def test_play_goes_in_few_hops_where_motion_is_reduced(opened):
    page = opened({"step": 0, "steps": 1000})
    assert page.evaluate(PLAY, [375, 1000]) == list(range(0, 1001, 100))


def test_what_is_typed_while_paths_play_stays_until_it_is_taken(opened):
    page = opened({"step": 0, "steps": 1000})
    fields = section(page, "surface").locator(".card input[type=number]")
    fields.first.fill("0.125")
    before = page.locator(".clock output").inner_text()
    page.evaluate("document.querySelector('.clock button').click()")
    page.wait_for_function("(before) => document.querySelector('.clock output').textContent !== before", arg=before)
    page.evaluate("document.querySelector('.clock button').click()")
    assert fields.first.input_value() == "0.125" and "racers" not in address(page)
    fields.first.press("Enter")
    settle(page)
    assert "0.125" in address(page)["racers"]
    page.go_back()
    settle(page)
    assert fields.first.input_value() != "0.125"


def test_a_slider_changes_the_path_and_the_address(opened):
    page = opened()
    before, drawn = places(page)["racers"], picture(page, "surface")
    slider = section(page, "surface").get_by_label("learning rate").first
    slider.focus()
    slider.press("ArrowRight")
    settle(page)
    after = places(page)["racers"]
    assert after["SGD"] != before["SGD"] and after["Adam"] == before["Adam"]
    assert picture(page, "surface") != drawn and "0.105" in address(page)["racers"]


def test_optimizers_come_and_go(opened):
    page = opened()
    there = list(places(page)["racers"])
    found = section(page, "surface")
    found.get_by_label("Add an optimizer").select_option(label="Adagrad")
    settle(page)
    there.append("Adagrad")
    assert list(places(page)["racers"]) == there
    while there:
        found.get_by_role("button", name=f"Remove {there.pop(0)}", exact=True).click()
        settle(page)
        assert list(places(page)["racers"]) == there
    assert places(page)["groups"] == {}
    assert "No optimizer is chosen" in section(page, "glass").inner_text()


def test_dialects_and_hyperparameters_are_those_of_the_table(opened):
    page = opened()
    card = section(page, "surface").get_by_role("group", name="Adam")
    card.locator("summary").click()
    before = places(page)["racers"]["Adam"]
    card.get_by_label("dialect").select_option("torch")
    settle(page)
    torch = places(page)["racers"]["Adam (torch)"]
    assert torch != before
    card = section(page, "surface").get_by_role("group", name="Adam (torch)")
    assert not card.get_by_label("betas").is_visible()  # a new card, which is closed
    card.locator("summary").click()
    card.get_by_label("betas").fill("0.5, 0.9")
    card.get_by_label("betas").press("Enter")
    settle(page)
    assert places(page)["racers"]["Adam (torch)"] != torch and "%5B0.5%2C0.9%5D" in address(page)["racers"]


def test_what_is_refused_is_said_in_pythons_words(opened):
    page = opened({"racers": [{"name": "adam", "dialect": "article", "values": {"lr": -1}}]})
    assert re.search("lr.*at least 0.*-1", section(page, "surface").locator(".card .said").inner_text())
    assert places(page)["racers"] == {"Adam": []}


def test_a_path_that_diverges_says_when(opened):
    page = opened({"surface": "rosenbrock", "racers": [{"name": "sgd", "values": {"lr": 1}}]})
    assert re.fullmatch(r"diverged at step \d+", section(page, "surface").locator(".card .said").inner_text())


def test_the_condition_of_the_quadratic_is_a_slider(opened):
    page = opened({"surface": "quadratic"})
    before = places(page)["racers"]["SGD"]
    slider = section(page, "surface").get_by_label("condition number").first
    slider.focus()
    slider.press("ArrowRight")
    settle(page)
    assert places(page)["racers"]["SGD"] != before and "condition" in address(page)["args"]


def test_the_rate_of_one_parameter_and_its_edge(opened):
    page = opened({"curvature": 4, "rate": 0.4})
    verdict = section(page, "one").locator(".verdict")
    assert verdict.inner_text().startswith("It swings: each step multiplies the distance by −0.6.")
    field = section(page, "one").get_by_label("learning rate").nth(1)
    for rate, begins in {
        "0.5": "At the edge",
        "0.6": "Beyond the edge of 0.5",
        "0.25": "Exactly",
        "0.01": "Too small",
    }.items():
        field.fill(rate)
        field.press("Enter")
        settle(page)
        assert verdict.inner_text().startswith(begins)


def glass_rows(page):
    """The table of a step: before, after by the formula, and after by the rule, by name."""
    rows = section(page, "glass").locator(".numbers-of tbody").first.locator("tr")
    cells = rows.evaluate_all("(all) => all.map((row) => [...row.cells].map((cell) => cell.textContent))")
    return {name: [float(each.replace("−", "-")) if each else None for each in found] for name, *found in cells}


def test_the_glass_shows_the_numbers_of_a_step_beside_the_lines(opened):
    page = opened({"step": 7})
    before, after = places(page)["racers"]["Adam"][6:8]
    rows = glass_rows(page)
    assert list(rows)[:2] == ["gradient g", "parameter θ"]
    assert rows["parameter θ"] == pytest.approx([before[0], after[0], after[0]], rel=2e-6)
    assert rows["change of the parameter"][1:] == pytest.approx([after[0] - before[0]] * 2, rel=1e-5)
    assert rows["bias correction 1−β1t"][1] == pytest.approx(1 - 0.9**7, rel=1e-6)
    lines = section(page, "glass").locator(".lines li")
    assert lines.locator(".line").count() == len(spec("adam").lines())
    last = lines.last.locator(".numbers").inner_text()
    assert float(last.rpartition("=")[2].replace("−", "-")) == pytest.approx(after[0], rel=1e-5)
    assert lines.locator(".line mfrac").first.bounding_box()["height"] > 15  # the browser draws MathML
    section(page, "glass").get_by_text("y", exact=True).click()
    settle(page)
    assert glass_rows(page)["parameter θ"] == pytest.approx([before[1], after[1], after[1]], rel=2e-6)


def test_the_glass_follows_a_path_there_and_back(opened):
    schedule = {"name": "cosine", "args": {"total_steps": 150}}
    page = opened({"steps": 150, "step": 137, "phases": [schedule]})
    path = places(page)["racers"]["Adam"]
    scrubber = page.locator(".clock input[type=range]")
    for step in (137, 138, 60, 59, 101, 1):
        scrubber.fill(str(step))
        settle(page)
        assert glass_rows(page)["parameter θ"][::2] == pytest.approx([path[step - 1][0], path[step][0]], rel=2e-6)


def test_a_term_that_is_left_out_has_a_path_and_lines_of_its_own(opened):
    page = opened({"step": 7})
    glass = section(page, "glass")
    menu = glass.get_by_label("What if this were left out?")
    assert [each.split(":")[0] for each in menu.locator("option").all_inner_texts()] == [
        "nothing", "no momentum", "no bias correction", "no adaptive denominator", "no epsilon",
    ]  # fmt: skip
    drawn = [picture(page, "glass")]
    for term, instead in (("corrections", 2), ("denominator", 1), ("momentum", 0)):
        menu.select_option(term)
        settle(page)
        drawn.append(picture(page, "glass"))
        assert glass.locator(".instead:visible").count() == instead
        assert re.search(r"step 7: loss [\d.]+; no .*: loss [\d.]+$", glass.locator(".verdict").inner_text())
    assert len(set(drawn)) == 4 and address(page)["without"] == "momentum"
    page.reload()
    settle(page)
    assert picture(page, "glass") == drawn[-1]


EACH_UNDER_THE_GLASS = """async () => {
    const glass = document.querySelector("#glass");
    const menu = glass.querySelector("select");
    const found = [];
    for (const { value } of [...menu.options]) {
        menu.value = value;
        menu.dispatchEvent(new Event("change"));
        await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
        const theta = glass.querySelector(".numbers-of tbody tr:nth-child(2)");
        const cells = [...theta.cells].map((cell) => cell.textContent);
        found.push([cells, glass.querySelectorAll(".lines .numbers math").length]);
    }
    return found;
}"""


def test_without_bias_corrections_a_path_is_that_of_the_averages_alone(opened):
    racers = [{"name": "adam", "values": {"lr": 0.1}}]
    page = opened({"step": 3, "racers": racers, "looked": 0, "without": "corrections"})
    loss = lab.least_squares(lab.rows_of())
    theta, m, v = np.array(places(page)["racers"]["Adam"][0]), 0.0, 0.0
    for step in range(3):
        g = np.array(loss.gradient(*theta, step))
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        theta = theta - 0.1 * m / np.sqrt(v + 1e-8)
    said_of = section(page, "glass").locator(".verdict").inner_text()
    shown = re.search(r"no bias correction: .*: loss ([\d.]+)$", said_of)[1]
    assert float(shown) == pytest.approx(loss.value(*theta), rel=1e-3)


def test_every_optimizer_lies_under_the_glass(opened):
    names = [name for name, row in OPTIMIZERS.rows.items() if not row.needs]
    racers = [{"name": each, "dialect": next(iter(OPTIMIZERS[each].dialects)), "values": {}} for each in names]
    page = opened({"step": 3, "racers": racers})
    section(page, "glass")
    for name, (cells, lines) in zip(names, page.evaluate(EACH_UNDER_THE_GLASS), strict=True):
        formula, rule = (float(each.replace("−", "-")) for each in cells[2:])
        assert formula == pytest.approx(rule, rel=1e-5) and lines == len(spec(name).lines()), name
    assert not any(word in said(page) for word in STRANGE)


def test_before_the_first_step_the_lines_have_no_numbers(opened):
    page = opened({"step": 0, "racers": [{"name": "sgd", "values": {"momentum": 0.9}}], "looked": 0})
    glass = section(page, "glass")
    assert glass.locator(".lines .line math").count() == len(spec("sgd", momentum=0.9).lines())
    assert not glass.locator(".numbers:visible").count()
    assert "At step 0 nothing has happened yet." in glass.locator(".numbers-of").inner_text()


def test_batches_change_the_paths_and_seeds_change_them_again(opened):
    page = opened()
    batches = section(page, "batches")
    found = [places(page)["racers"]["SGD"]]
    for act in (
        lambda: batches.get_by_text("mini-batch", exact=True).click(),
        lambda: batches.get_by_label("seed of the order").fill("5"),
        lambda: batches.get_by_text("single rows", exact=True).click(),
    ):
        act()
        page.keyboard.press("Tab")
        settle(page)
        found.append(places(page)["racers"]["SGD"])
    assert all(one != other for i, one in enumerate(found) for other in found[:i])


def test_a_schedule_is_felt_by_the_paths(opened):
    page = opened({"step": 40})
    before = places(page)["racers"]
    found = section(page, "schedules")
    found.get_by_role("button", name="Warm-up, then cosine").click()
    settle(page)
    assert places(page)["racers"] != before
    assert found.locator(".written").inner_text() == "warmup(10).then(cosine(90))"
    assert found.locator(".verdict").inner_text().startswith("Step 40 takes the factor schedule(39) = 0.765.")
    found.get_by_label("total_steps").fill("0.5")
    found.get_by_label("total_steps").press("Enter")
    settle(page)
    assert "total_steps" in found.locator(".wrong").inner_text()


TINTED = """(drawn) => {
    const scale = drawn.width / drawn.clientWidth;
    const [left, right, top] = [60, drawn.clientWidth - 22, 28]; // of the plot, in chart.ts
    const { data } = drawn.getContext("2d").getImageData(0, Math.round(scale * top), drawn.width, 1);
    const place = (step) => 4 * Math.round(scale * (left + ((step + 0.5) / 100) * (right - left)));
    const colour = (step) => data.slice(place(step), place(step) + 4).join();
    return [...Array(100).keys()].filter((step) => colour(step) === colour(39));
}"""  # which of 100 steps, from 0, have the tint of step 39 at the top of a picture


def place_of(schedule, step):
    """Python's words for the time and the phase that a step is in."""
    return re.findall(r"(?:cycle|phase) \d of \d", schedule.explain(step))


def test_a_phase_and_all_phases_are_repeated_shifted_scaled_and_clipped(opened):
    page = opened({"step": 40})
    found = section(page, "schedules")
    assert not found.get_by_label("repeat, times").first.is_visible()
    found.get_by_role("button", name="Warm restarts").click()
    settle(page)
    assert found.locator(".written").inner_text() == "warmup(10).then(cosine(30).repeat(3))"
    card = found.get_by_role("group", name="cosine", exact=True)
    assert card.get_by_label("repeat, times").input_value() == "3"  # it is open, as it says something
    every = found.get_by_role("group", name="All phases together")
    every.locator("summary").press("Enter")
    given = [
        (card, "repeat, times", "1"),
        (card, "× factor", "0.8"),
        (every, "repeat, times", "3"),
        (every, "shift, steps", "5"),
        (every, "× factor", "0.5"),
        (every, "clip, at least", "0.1"),
    ]
    for part, label, value in given:
        part.get_by_label(label).fill(value)
        part.get_by_label(label).press("Enter")
    settle(page)
    expected = (warmup(10).then(cosine(30).repeat(1) * 0.8).repeat(3).shift(5) * 0.5).clip(min=0.1)
    assert found.locator(".written").inner_text() == repr(expected)
    assert f"schedule(39) = {expected(39):.4g}." in found.locator(".verdict").inner_text()
    in_force = [step for step in range(100) if place_of(expected, step) == place_of(expected, 39)]
    assert len(in_force) == 30 and found.locator("canvas").first.evaluate(TINTED) == in_force
    every.get_by_label("× factor").fill("-1")
    every.get_by_label("× factor").press("Enter")
    settle(page)
    assert "all phases: × factor: the factor must be at least 0" in found.locator(".wrong").inner_text()
    assert every.get_by_label("× factor").input_value() == "-1"
    every.get_by_label("× factor").fill("")
    every.get_by_label("× factor").press("Enter")
    settle(page)
    page.reload()
    settle(page)
    found = section(page, "schedules")
    unscaled = warmup(10).then(cosine(30).repeat(1) * 0.8).repeat(3).shift(5).clip(min=0.1)
    assert found.locator(".written").inner_text() == repr(unscaled)


COSINE = {"name": "cosine", "args": {"total_steps": 9}}


def test_what_is_made_of_all_phases_goes_with_the_last_of_them(opened):
    page = opened({"phases": [COSINE, COSINE], "around": {"times": 0.5}})
    found = section(page, "schedules")
    for left in ("cosine(9) * 0.5", ""):
        found.get_by_role("button", name="Remove cosine").first.click()
        settle(page)
        assert found.locator(".written").text_content() == left
    found.get_by_label("Add a phase").select_option("cosine")
    settle(page)
    assert found.locator(".written").inner_text() == "cosine(100)"
    page = opened({"around": {"times": 0.5}})  # of no phases
    found = section(page, "schedules")
    found.get_by_label("Add a phase").select_option("cosine")
    settle(page)
    assert found.locator(".written").inner_text() == "cosine(100)"


def test_settings_that_opened_by_themselves_close_when_a_preset_empties_them(opened):
    page = opened({"phases": [COSINE], "around": {"times": 0.5}})
    found = section(page, "schedules")
    every = found.get_by_role("group", name="All phases together")
    field = every.get_by_label("× factor")
    preset = found.get_by_role("button", name="Warm-up, then cosine")
    assert field.is_visible()  # by itself
    preset.click()
    settle(page)
    assert not field.is_visible()
    every.locator("summary").press("Enter")
    field.fill("0.5")
    field.press("Enter")
    settle(page)
    preset.click()
    settle(page)
    assert field.is_visible() and field.input_value() == ""  # a person has opened it


def test_settings_stay_open_while_somebody_empties_them(opened):
    found = section(page := opened({"phases": [COSINE], "around": {"times": 0.5}}), "schedules")
    field = found.get_by_role("group", name="All phases together").get_by_label("× factor")
    field.fill("")
    field.press("Enter")
    settle(page)
    assert found.locator(".written").inner_text() == "cosine(9)" and field.is_visible()


@pytest.mark.parametrize(("step", "made"), [(0, 1), (20, 20), (60, 60)])
def test_a_step_and_its_rate_are_the_same_in_all_sections(opened, step, made):
    phases = [{"name": "warmup", "args": {"steps": 10}}, {"name": "cosine", "args": {"total_steps": 40, "end": 0.1}}]
    page = opened({"steps": 60, "step": step, "phases": phases})
    verdict = section(page, "schedules").locator(".verdict").inner_text()
    factor = (warmup(10).then(cosine(40, end=0.1)))(made - 1)
    assert f"Step {made} takes the factor schedule({made - 1}) = {factor:.4g}." in verdict
    if step:
        (in_force,) = (found for name, (found, *_) in glass_rows(page).items() if name.startswith("learning rate"))
        assert f"Adam takes the rate {in_force:.4g}," in verdict
        shown = section(page, "glass").locator(".verdict").inner_text()
        assert shown.startswith(f"step {step}, made with schedule({step - 1}): ")


def test_phases_that_make_no_schedule_are_said_wherever_paths_follow_it(opened):
    page = opened({"phases": [{"name": "constant", "args": {}}, {"name": "warmup", "args": {"steps": 5}}]})
    for name in ("surface", "glass", "batches", "schedules", "groups", "care"):
        assert section(page, name).get_by_text("The phases of section 5 make no schedule").is_visible(), name
    section(page, "schedules").get_by_role("button", name="Constant", exact=True).click()
    settle(page)
    assert "make no schedule" not in section(page, "surface").inner_text()


WHOLE = "must be a whole number"


@pytest.mark.parametrize(
    ("state", "english", "chinese"),
    [
        (
            {"phases": [COSINE, {**COSINE, "around": {"shift": 1, "repeat": 2.5}}]},
            f"phase 2, cosine: repeat: times {WHOLE}",
            "第 2 阶段 cosine：重复：times 必须是",
        ),
        (
            {"phases": [COSINE], "around": {"repeat": 2, "shift": 2.5}},
            f"all phases: shift: steps {WHOLE}, got 2.5",
            "所有阶段一起：推迟：steps 必须是整数，现在是 2.5。",
        ),
        (
            {"phases": [{**COSINE, "around": {"min": 1, "max": 0}}, COSINE]},
            "phase 1, cosine: clip: min must not be above max",
            "第 1 阶段 cosine：截断：min 不能大于 max",
        ),
        (
            {"phases": [COSINE, {"name": "warmup", "args": {"steps": -1}}]},
            f"phase 2, warmup: steps {WHOLE}",
            "第 2 阶段 warmup：steps 必须是",
        ),
        (
            {"phases": [COSINE, {"name": "constant", "args": {}}, COSINE]},
            "phase 2, constant: an endless schedule cannot be followed",
            "第 2 阶段 constant：没有终点的调度之后",
        ),
        (
            {"phases": [{**COSINE, "around": {"times": 1e200}}], "around": {"times": 1e200}},
            "all phases: a factor is beyond the range of float64",
            "所有阶段一起：有的系数超出了 float64 的范围",
        ),
    ],
)
def test_a_schedule_that_is_refused_says_where(opened, state, english, chinese):
    for language, words in (("en", english), ("zh", chinese)):
        found = section(opened({**state, "language": language}), "schedules").locator(".wrong")
        assert words in found.inner_text()


def test_as_many_minima_are_marked_as_there_are(opened):
    for surface, words in {
        "saddle": "crosses are the two minima",
        "cliff": "none is marked",
        "beale": "cross is the minimum",
    }.items():
        assert words in section(opened({"surface": surface}), "surface").locator(".caption").first.inner_text()


def test_two_groups_have_rates_of_their_own(opened):
    page = opened()
    before = places(page)["groups"]
    section(page, "groups").get_by_role("button", name="Swap the two rates").click()
    settle(page)
    after = places(page)["groups"]
    assert after["two rates"] != before["two rates"] and after["one rate"] == before["one rate"]


def test_the_worker_computes_every_rate_and_can_be_stopped(opened):
    page = opened({"steps": 30, "seeds": 2})
    care = section(page, "care")
    care.get_by_role("button", name="Compute").click()
    care.get_by_text("steps: 30, seeds: 2.").wait_for()
    assert all(re.search(r"\d", cell) for cell in care.locator("tbody td").all_inner_texts())
    care.get_by_role("button", name="Take the best rates").click()
    settle(page)
    assert "racers" in address(page) and "compute again" in care.inner_text()
    page.goto(page.url.split("#")[0] + fragment(steps=5000, seeds=16, batch=1))
    settle(page)
    care.get_by_role("button", name="Compute").click()
    care.get_by_text(re.compile("Computing: [1-9]")).wait_for()
    care.get_by_role("button", name="Stop").click()
    assert "Stopped" in care.inner_text()
    assert {*care.locator("tbody td").all_inner_texts()} == {"—"}
    assert care.get_by_role("button", name="Take the best rates").is_disabled()


COLOURED = """(drawn) => {
    const copy = new OffscreenCanvas(drawn.width, drawn.height);
    const pen = copy.getContext("2d", { willReadFrequently: true });
    pen.drawImage(drawn, 0, 0);
    const { data } = pen.getImageData(0, 0, copy.width, copy.height);
    let count = 0;
    for (let i = 0; i < data.length; i += 4) {
        const [red, green, blue] = [data[i], data[i + 1], data[i + 2]];
        count += Math.max(red, green, blue) - Math.min(red, green, blue) > 150;
    }
    return count;
}"""  # how many pixels of a picture have the colour of a path


def computed(page):
    """The rows of section 7 after it has computed all, by the optimizer's name."""
    care = section(page, "care")
    care.get_by_role("button", name="Compute").click()
    care.get_by_role("button", name="Compute").wait_for()
    settle(page)
    rows = care.locator("tbody tr").evaluate_all("(all) => all.map((row) => [...row.cells].map((c) => c.textContent))")
    return {name: cells for name, *cells in rows}


def test_what_is_refused_or_diverges_has_no_dots_and_no_best_rate(opened):
    refused = {"name": "sgd", "values": {"momentum": -1, "lr": 0.1}}
    page = opened({"surface": "saddle", "racers": [refused], "steps": 5, "seeds": 1})
    assert computed(page) == {"SGD": ["—", "refused", "—"]}
    care = section(page, "care")
    assert care.locator("canvas").evaluate(COLOURED) == 0
    assert care.get_by_role("button", name="Take the best rates").is_disabled()
    page = opened({"racers": [refused, {"name": "adam", "values": {}}], "steps": 5, "seeds": 1})
    assert computed(page)["SGD"][0] == "—"
    assert care.locator("canvas").evaluate(COLOURED) > 0
    care.get_by_role("button", name="Take the best rates").click()
    settle(page)
    assert "%22lr%22%3A0.1%7D" in address(page)["racers"]  # of the one without a best rate, as it was


def test_good_rates_are_an_unbroken_run(opened):
    phases = [{"name": "warmup", "args": {"steps": 10}}, {"name": "cosine", "args": {"total_steps": 40, "end": 0.1}}]
    racers = [{"name": "adam", "values": {}}]
    page = opened({"steps": 60, "batch": 16, "phases": phases, "racers": racers})
    ((best, _, good),) = computed(page).values()
    low, high = map(float, good.split(" – "))
    assert low <= float(best) <= high < 5


def test_the_language_changes_in_the_middle_of_all(opened):
    page = opened({"steps": 10_000, "step": 0, "seeds": 16}, motion="no-preference")
    page.evaluate("performance.now = () => 1e9")  # by this clock a play does not end
    section(page, "surface").get_by_role("group", name="RMSProp").locator("summary").click()
    care = section(page, "care")
    care.get_by_role("button", name="Compute").click()
    page.get_by_role("button", name="Play").click()
    page.get_by_text("中文").click()
    page.get_by_role("button", name="暂停").wait_for()  # it plays on
    opened_before = page.locator(".card details").evaluate_all("(all) => all.map((each) => each.open)")
    assert opened_before == [False, True, False]
    assert "正在计算" in section(page, "care").inner_text()
    section(page, "care").get_by_role("button", name="停止").click()
    assert "已停止" in section(page, "care").inner_text()


def test_a_field_says_what_it_cannot_take_and_its_limits(opened):
    page = opened({"racers": [{"name": "adam", "dialect": "torch", "values": {}}]})
    start = section(page, "surface").get_by_label("start x")
    before = start.input_value()
    start.select_text()
    page.keyboard.type("1e400")  # no float64 is as large
    page.keyboard.press("Enter")
    assert start.input_value() == before
    assert start.locator("+ .note").inner_text().startswith("This is not a number that can be used")
    steps = page.locator(".clock input[type=number]")
    for given, taken in {"20000": "10000", "0": "1", "-5": "1"}.items():
        steps.fill(given)
        steps.press("Enter")
        assert steps.input_value() == taken
        assert page.locator(".clock .note").inner_text() == "It goes from 1 to 10000."
    steps.fill("30")
    steps.press("Enter")
    assert page.locator(".clock .note").inner_text() == ""
    assert page.locator(".card input[placeholder=none]").count()  # where a field may be empty


def test_numbers_are_typed_while_the_step_moves(opened):
    page = opened({"step": 20})
    back = "document.querySelectorAll('.clock button')[1].click()"
    start = section(page, "surface").get_by_label("start x")
    steps = page.locator(".clock input[type=number]")
    for field, parts in ((start, ("-1.", "25")), (steps, ("4", "0"))):
        field.select_text()
        for part in parts:
            page.keyboard.type(part)
            page.evaluate(back)
            settle(page)
        page.keyboard.press("Enter")
        settle(page)
        assert field.input_value() == "".join(parts)
    assert address(page)["start"].startswith("%5B-1.25%2C") and address(page)["steps"] == "40"


def test_back_stops_what_plays(opened):
    page = opened({"step": 5, "steps": 1000})
    page.get_by_role("button", name="One step forth").click()
    page.get_by_role("button", name="Play").click()
    page.go_back()
    page.get_by_role("button", name="Play").wait_for()
    page.wait_for_timeout(700)
    assert page.locator(".clock output").inner_text() == "step 5 of 1000" and address(page)["step"] == "5"


def test_the_keys_of_a_slider_are_one_entry_of_the_history(opened):
    page = opened()
    slider = section(page, "surface").get_by_label("learning rate").first
    slider.focus()
    for _ in range(5):
        slider.press("ArrowRight")
    settle(page)
    assert "%22lr%22%3A0.126" in address(page)["racers"]
    page.go_back()
    settle(page)
    assert "racers" not in address(page)


IN_SLICES = """
    let [now, last] = [0, ""];
    performance.now = () => (now += 20); // by this clock a slice of computing is over at its first rest
    window.told = [];
    const another = () => {
        const isStale = document.querySelector("#surface").hasAttribute("data-stale");
        told.push(isStale ? "the page goes on" : "a section did not wait");
        window.cards = [...document.querySelectorAll(".card .name")].map((each) => each.textContent);
    };
    new MutationObserver(() => {
        const text = document.querySelector(".clock output")?.textContent ?? "";
        if (text === last) return;
        told.push((last = text));
        if (text.includes("…")) setTimeout(another);
    }).observe(document, { subtree: true, childList: true, characterData: true });
"""


def test_long_computing_is_said_and_leaves_the_page_alive(opened):
    page = opened({"steps": 500}, height=2400)
    page.add_init_script(IN_SLICES)
    page.reload()
    expected = ["step 100 of 500"]

    def is_told(end, computing="computing…"):
        expected.extend([computing, "the page goes on", end])
        page.wait_for_function("(count) => told.length >= count", arg=len(expected))
        settle(page)
        assert page.evaluate("told") == expected

    is_told("step 100 of 500")
    size = section(page, "batches").get_by_label("batch size").nth(1)
    size.fill("2")
    size.press("Enter")
    is_told("step 100 of 500")
    racers = [{"name": name, "dialect": "article", "values": {}} for name in ("adam", "sgd")]
    phases = [{"name": "cosine", "args": {"total_steps": 400}}]
    page.evaluate("(hash) => { location.hash = hash; }", fragment(steps=400, racers=racers, phases=phases))
    is_told("step 100 of 400")
    assert page.evaluate("cards") == ["Adam", "SGD", "1. cosine"]  # cards do not wait: what is typed there is not lost
    page.evaluate("location.hash = 'steps=300&language=zh'")
    is_told("第 100 / 300 步", "正在计算…")  # another language does not wait
    page.evaluate("location.hash = 'steps=300&language=zh&surface=beale&without=corrections'")
    is_told("第 100 / 300 步", "正在计算…")


CUT = """
    window.cut = new Set();
    const fillText = CanvasRenderingContext2D.prototype.fillText;
    CanvasRenderingContext2D.prototype.fillText = function (text, x, ...more) {
        const [wide, room] = [this.measureText(text).width, this.canvas.width / devicePixelRatio];
        const left = { center: x - wide / 2, right: x - wide }[this.textAlign] ?? x;
        if (left < 0 || left + wide > room) cut.add(text);
        return fillText.call(this, text, x, ...more);
    };
"""  # records the texts in pictures that reach beyond the edge


@pytest.mark.parametrize("width", [1200, 360])
def test_no_number_is_cut_at_the_edge_of_a_picture(opened, width):
    page = opened(width=width)
    page.add_init_script(CUT)
    page.reload()
    for state in (
        {"steps": 10_000, "step": 0},
        {"surface": "saddle", "start": [500, 0.001], "curvature": 20, "from": 0.01},
        {"surface": "quadratic", "args": {"condition": 10_000}, "steps": 1000, "rate": 0.001},
    ):
        page.evaluate("(address) => { location.hash = address; }", fragment(**state))
        settle(page)
        page.evaluate("() => { dispatchEvent(new Event('beforeprint')); }")  # draws all pictures
    assert page.evaluate("[...cut]") == []


BLANK = """() => {
    const isBlank = (canvas) => {
        const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        return data.every((each) => each === 0);
    };
    return [...document.querySelectorAll("canvas")].map(isBlank);
}"""


def test_all_pictures_are_printed_light_and_the_clock_is_not(opened):
    page = opened(scheme="dark")
    dark = picture(page, "surface", 1)
    page.evaluate("() => { dispatchEvent(new Event('beforeprint')); }")
    blank = page.evaluate(BLANK)
    assert len(blank) > 10 and not any(blank)
    printed = picture(page, "surface", 1)
    page.emulate_media(media="print")
    assert not page.locator(".clock").is_visible()
    page.emulate_media(media="null", color_scheme="light")
    page.evaluate("() => { dispatchEvent(new Event('afterprint')); }")
    settle(page)
    assert picture(page, "surface", 1) == printed != dark
    page.emulate_media(color_scheme="dark")
    settle(page)
    assert picture(page, "surface", 1) == dark


def test_pictures_stay_sharp_when_the_page_is_zoomed(opened):
    page = opened(width=1300)
    canvas = section(page, "surface").locator("canvas").first
    before = canvas.evaluate("(canvas) => canvas.width")
    zoomed = {"width": 1300, "height": 800, "deviceScaleFactor": 2, "mobile": False}
    page.context.new_cdp_session(page).send("Emulation.setDeviceMetricsOverride", zoomed)
    settle(page)
    assert canvas.evaluate("(canvas) => canvas.width") == 2 * before


def test_a_phones_width_hides_nothing_under_the_clock(opened):
    racers = [{"name": "schedule_free_adamw", "values": {}}] * 2
    page = opened({"steps": 1000, "step": 1000, "racers": racers}, width=360, height=640)
    heights = (
        section(page, "surface").locator(".name, .said").evaluate_all("(all) => all.map((each) => each.offsetHeight)")
    )
    assert max(heights) < 60, "no word is broken into letters"
    right, left = page.evaluate(
        """() => {
            const text = document.createRange();
            text.selectNodeContents(document.querySelector(".clock output"));
            const field = document.querySelector(".clock .field");
            return [text.getBoundingClientRect().right, field.getBoundingClientRect().left];
        }"""
    )
    assert right <= left
    for _ in range(30):
        page.keyboard.press("Tab")
        assert page.evaluate(
            """() => {
                const [there, clock] = [document.activeElement, document.querySelector(".clock")];
                if (clock.contains(there)) return true;
                return there.getBoundingClientRect().bottom <= clock.getBoundingClientRect().top;
            }"""
        ), page.evaluate("document.activeElement.outerHTML")


def test_what_there_is_not_is_said(opened):
    page = opened({"racers": []})
    care = section(page, "care")
    assert "No optimizer is chosen" in care.inner_text()
    assert care.get_by_role("button", name="Compute").is_disabled()
    needy = [OPTIMIZERS[name].__name__ for name, row in OPTIMIZERS.rows.items() if row.needs]
    assert all(name in section(page, "surface").inner_text() for name in needy)
    page = opened({"racers": [{"name": "sgd", "values": {"lr": -1}}]})
    glass = section(page, "glass")
    assert "at least 0" in glass.locator(".numbers-of").inner_text()
    without = glass.get_by_label("What if this were left out?")
    assert without.inner_text() == "nothing: this formula has no term to leave out"
    assert "x: weight of bmi; y: weight of s5" in glass.inner_text()
    page = opened({"phases": [{"name": "warmup", "args": {"steps": 10}}], "language": "zh"})
    described = section(page, "schedules").locator(".card .about")
    assert described.locator("code").count() and "`" not in described.inner_text()
    assert "第 100 步（使用 schedule(99)）：损失" in section(page, "glass").inner_text()


def test_the_chinese_page_says_what_tables_and_refusals_say(opened):
    racers = [{"name": "adam", "values": {"lr": -1}}, {"name": "rprop", "values": {"step_sizes": [2, 1]}}]
    page = opened({"racers": racers, "surface": "saddle", "language": "zh"})
    found = section(page, "surface")
    below, sizes = (found.get_by_role("group", name=name, exact=True).locator(".said") for name in ("Adam", "Rprop"))
    assert below.text_content() == "lr 不能小于 0，现在是 -1.0。" and below.locator("[lang]").count() == 0
    assert sizes.text_content().startswith("这个设置不被接受，请修改。Python 的原文：")
    assert "step_sizes must be in order" in sizes.locator("[lang=en]").text_content()
    assert "Adam 及其变体" in found.locator("optgroup").evaluate_all("(all) => all.map((each) => each.label)")
    described = found.locator(".about")
    assert set(described.evaluate_all("(all) => all.map((each) => each.lang)")) == {"zh-Hans"}
    assert any("(0, 0) 处的鞍点" in text for text in described.all_text_contents())
    page.evaluate("engine.optimizers.adam.about = ['only in English']")  # as one of a user's own
    page.locator(".languages label").first.click()
    page.locator(".languages label").last.click()
    settle(page)
    assert described.get_by_text("only in English").get_attribute("lang") == "en"


def test_a_rate_can_be_any_number_and_the_glass_stays_on_its_optimizer(opened):
    page = opened()
    found = section(page, "surface")
    card = found.get_by_role("group", name="SGD")
    for rate in ("0", "1e-9", "-1"):
        card.get_by_label("learning rate").nth(1).fill(rate)
        card.get_by_label("learning rate").nth(1).press("Enter")
        settle(page)
        assert f"%22lr%22%3A{rate}%7D" in address(page)["racers"]
    assert "at least 0" in card.inner_text()
    found.get_by_role("button", name="Remove SGD").click()
    settle(page)
    assert section(page, "glass").get_by_label("Optimizer").locator("option:checked").inner_text() == "Adam"


# --- address and language ---------------------------------------------------------------------------------------------


def test_an_address_gives_the_state_and_only_what_differs_is_written(opened):
    page = opened(
        {"surface": "beale", "steps": 60, "step": 9, "racers": [{"name": "adam", "dialect": "torch", "values": {}}]}
    )
    assert page.locator(".clock output").inner_text() == "step 9 of 60"
    assert section(page, "surface").get_by_role("radio", name="Beale's function").is_checked()
    assert list(places(page)["racers"]) == ["Adam (torch)"]
    page.get_by_role("button", name="One step back").click()
    settle(page)
    assert set(address(page)) == {"surface", "steps", "step", "racers", "looked"}


@pytest.mark.parametrize(
    "wrong",
    [
        "#surface=__proto__&racers=%7B%7D&steps=-1&step=1e9&phases=null",
        "#racers=%5B%7B%22name%22%3A%22constructor%22%7D%2C7%5D&start=%5B1%5D&args=3&batch=1e99",
        "#%%%=&=&&&language=xx&rates=%5B0%2C-1%5D&seed=%22a%22&looked=99&axis=2",
        "#start=%5Bnull%2C0%5D&curvature=0&rate=NaN&from=1e9&seeds=0&without=%3Cscript%3E",
        '#racers=[{"name":"adam","dialect":"toString","values":{"betas":"x","lr":[1],"nothing":{}}}]',
        '#phases=[{"name":"cosine","args":{"total_steps":"<img src=x>"}},{"name":"valueOf","args":{}},{"name":"noam"}]',
        '#phases=[{"name":"warmup","args":{"steps":3},"around":{"times":1e308,"repeat":"3"}}]&around={"times":1e308,"min":[]}',
        '#phases=[{"name":"cosine","args":{"total_steps":1},"around":[2]}]&around={"repeat":1e15,"shift":-1e15,"constructor":1}',
        '#phases=[{"name":"cosine","args":{"total_steps":9},"around":{"repeat":1e300,"shift":1e999}}]&around="x"',
        "#surface=quadratic&args=%7B%22condition%22%3A-5%7D",
    ],
)
def test_what_an_address_has_wrong_does_nothing(opened, wrong):
    page = opened()
    page.goto(page.url.split("#")[0] + wrong)
    page.reload()
    settle(page)
    assert page.locator("main section").count() == 7
    assert not any(word in said(page) for word in STRANGE)


def test_a_start_of_an_address_is_finite(opened):
    first = places(opened())["racers"]["SGD"][0]
    page = opened()
    page.goto(page.url.split("#")[0] + "#start=[1e999,0]")
    settle(page)
    assert places(page)["racers"]["SGD"][0] == first


def test_the_language_is_switched_and_kept_in_the_address(opened):
    page = opened({"step": 12})
    page.get_by_text("中文").click()
    settle(page)
    assert page.evaluate("document.documentElement.lang") == "zh-Hans" and page.title() == "学习率实验室"
    assert all(
        re.search("[\u4e00-\u9fff]", each)
        for each in page.locator("h2, h3, label:not(details *, .card *)").all_inner_texts()
        if each not in ("English", "x", "y")
    )
    assert page.locator(".clock output").inner_text() == "第 12 / 100 步"
    assert page.evaluate("document.activeElement.value") == "zh"
    page.reload()
    settle(page)
    assert page.title() == "学习率实验室"
    page.go_back()
    settle(page)
    assert page.title() == "The learning-rate laboratory"


# --- other tables -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second", "target"),
    [
        ("</script><script>alert(1)</script>", "\"'`${alert(2)}", "<img src=x onerror=alert(3)>"),
        ("身高（厘米）", "🌡️ 温度", "价格 & <b>税</b>"),
        ("a\u2028b\u2029c", "__proto__", "{name}"),
    ],
)
def test_names_of_columns_are_shown_as_they_are_and_do_nothing_else(open_page, first, second, target):
    rows = [[1.5, 2, 3], [2, 1, 5], [0, 4, 4], [3, 3, 1], [5, 1, 2]]
    table = Table(
        {name: [str(row[i]) for row in rows] for i, name in enumerate((first, second, target))}, source="<i>t"
    )
    page = open_page(lab.page(table, target, [first, second]))
    settle(page)
    shown = page.locator("header .about").text_content()
    assert all(name in shown for name in (first, second, target, "<i>t"))
    assert page.locator("header i, header img, header b").count() == 0
    section(page, "groups")
    assert all(name in page.locator("#groups").text_content() for name in (first, second))


def test_a_long_name_of_a_column_is_cut(open_page):
    names = ["long" * 80, "b", "y"]
    columns = zip(names, ("1243", "2143", "1134"), strict=True)
    page = open_page(lab.page(Table({name: list(column) for name, column in columns}, source="t"), "y", names[:2]))
    settle(page)
    shown = said(page)
    assert "long" * 9 in shown and "long" * 10 not in shown


# --- everybody --------------------------------------------------------------------------------------------------------


RESTARTS = [{"name": "cosine", "args": {"total_steps": 10}, "around": {"repeat": 3, "times": 0.5}}]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1200, 360])
def test_axe_finds_nothing(opened, axe, scheme, width):
    page = opened({"language": "zh" if scheme == "dark" else "en", "phases": RESTARTS}, scheme=scheme, width=width)
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    settle(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert axe(page) == []


def test_axe_finds_a_mistake(opened, axe):
    page = opened(width=1100)
    page.evaluate("document.querySelector('#glass select').previousSibling.remove()")
    assert [each["id"] for each in axe(page)] == ["select-name"]


@pytest.fixture(scope="module")
def axe_source():
    web = pytest.importorskip("web")
    web.installed()
    return (web.WEB / "node_modules/axe-core/axe.min.js").read_text(encoding="utf-8")


@pytest.fixture
def axe(axe_source):
    """A function that gives what axe-core finds wrong on a page."""

    def find(page):
        page.evaluate(axe_source)
        found = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
        return [
            {"id": each["id"], "where": [node["html"] for node in each["nodes"]][:5]} for each in found["violations"]
        ]

    return find


def test_all_can_be_done_by_keyboard(opened):
    page = opened(width=1100)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.closest('main') !== null")
    reached = page.evaluate(
        """() => {
            const inputs = [...document.querySelectorAll("button, select, input, summary, a")];
            return inputs.filter((each) => each.tabIndex < 0 && !each.disabled).map((each) => each.outerHTML);
        }"""
    )
    assert reached == []


def test_a_notebooks_frame_holds_the_whole_page(open_page):
    frame = lab.show(height=700)._repr_html_()
    page = open_page(f'<!DOCTYPE html><meta charset="utf-8"><title>notebook</title>{frame}')
    frame = page.frame_locator("iframe")
    frame.locator("#care").scroll_into_view_if_needed()
    frame.get_by_label("steps", exact=True).fill("5")
    frame.get_by_label("steps", exact=True).press("Enter")
    frame.get_by_role("button", name="Compute").click()
    frame.get_by_text("steps: 5, seeds: 3.").wait_for()


# --- sequences of actions ---------------------------------------------------------------------------------------------

ACTIONS = 8
ACT = """(number) => {
    const visible = (each) => each.offsetParent !== null && !each.disabled;
    const kinds = ["button", "select", "input", "summary", "canvas"].map((each) => `body ${each}`).join();
    const found = [...document.querySelectorAll(kinds)].filter(visible);
    const chosen = found[Math.floor(number * found.length)];
    const part = (number * found.length) % 1;
    const tell = (name) => chosen.dispatchEvent(new Event(name, { bubbles: true }));
    if (chosen.tagName === "CANVAS") {
        const box = chosen.getBoundingClientRect();
        const [clientX, clientY] = [box.left + part * box.width, box.top + ((part * 7) % 1) * box.height];
        chosen.dispatchEvent(new PointerEvent("pointermove", { clientX, clientY, bubbles: true }));
        chosen.dispatchEvent(new MouseEvent("click", { clientX, clientY, bubbles: true }));
    } else if (chosen.tagName === "SELECT") {
        chosen.selectedIndex = Math.floor(part * chosen.options.length);
        tell("change");
    } else if (chosen.type === "range") {
        chosen.value = Number(chosen.min) + part * (Number(chosen.max) - Number(chosen.min));
        tell("input");
        tell("change");
    } else if (chosen.type === "number" || chosen.type === "text") {
        const texts = ["", "0", "1", "-3", "0.5", "1e3", "7", "1e-9"];
        if (chosen.type === "text") texts.push("abc", "0.9, 0.99");
        chosen.value = texts[Math.floor(part * texts.length)];
        tell("change");
    } else chosen.click();
    return chosen.outerHTML;
}"""


SEQUENCES = 20


@pytest.mark.parametrize("width", [400, 1200])
def test_drawn_sequences_of_actions(opened, width):
    page = opened({"steps": 30}, width=width)
    for seed in range(width, width + SEQUENCES // 2):
        phases = RESTARTS if seed % 2 else []  # whose settings are open
        page.goto(page.url.split("#")[0] + fragment(steps=30, seed=seed, phases=phases))
        settle(page)
        done = some_actions(page, random.Random(seed))
        kept = places(page)
        if seed % 5 == 0:
            page.reload()
            settle(page)
            assert places(page) == kept, done


def some_actions(page, draw):
    """Do what was drawn; gives what it was."""
    done, before = [], page.evaluate("history.length")
    for _ in range(ACTIONS):
        done.append(page.evaluate(ACT, draw.random()))
        settle(page)
        now = page.evaluate("history.length")
        if now > before and draw.random() < 0.3:  # an entry of this page's own
            page.evaluate("history.back()")
            done.append("back")
        before = now
        assert [word for word in STRANGE if word in said(page)] == [], done
    return done
