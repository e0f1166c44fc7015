/** The report of a run, or of several over one another. training/report.py writes the data. */

import "./common/base.css";
import "./report.css";
import { chart, clearCharts, type Curve, type Mark, redrawCharts, spreads } from "./common/chart";
import { colour, dashes } from "./common/colours";
import { element, filled, type Language, pageData } from "./common/page";
import { followTheme } from "./common/theme";
import { asRead, breakable, inBrief, isOneNumber } from "./report/cells";
import { TEXTS, translated } from "./report/texts";

/** One column of numbers for each parameter group. */
type PerGroup = (number | null)[][];

interface Run {
  name: string;
  status: "finished" | "interrupted" | "diverged";
  groups: string[];
  watched: "held_out" | "validation"; // the rows of the held-out loss
  loss: string; // what it is; empty where that is not known
  data: string; // a text that is the same for the same rows and targets; empty where that is not known
  steps: number;
  begun: number; // epochs, with one that was not completed
  epochs: number; // that were completed
  stepsInEpoch: number;
  each: { at: number[]; loss: (number | null)[]; lr: PerGroup }; // step i of the n in epoch e begins at e + i / n
  epoch: { number: number[]; loss: (number | null)[] };
  heldOut: { number: number[]; loss: (number | null)[] };
  measured: { every: number; number: number[]; gradientNorm: (number | null)[]; updateRatio: PerGroup } | null;
  diverged: { epoch: number; step: number; at: number; why: string } | null;
}

interface Report {
  runs: Run[];
  settings: [string, string[]][]; // a name, and its value in each run
  results: [string, string[]][];
  summary: string[];
}

const data = pageData<Report>();
let language: Language = data.language;
const WORDED = ["loss", "task", "measured on", "baseline", "stopped"]; // rows whose values are words
let inSteps = false; // what the axis counts
const page = element("main");
document.body.append(page);
render();
followTheme(redrawCharts);

function texts() {
  return TEXTS[language].report;
}

function render(): void {
  document.documentElement.lang = language;
  clearCharts();
  const drawn = data.runs.filter((run) => run.steps > 0);
  page.replaceChildren(
    header(),
    ...data.runs.flatMap(notices),
    ...unlike(),
    ...(drawn.length ? [axisChoice(), ...charts(drawn)] : []),
    ...tables(),
  );
}

// --- above the curves ------------------------------------------------------------------------------------------------

function header(): HTMLElement {
  const { otherLanguage } = TEXTS[language].common;
  const other: Language = language === "en" ? "zh" : "en";
  const change = () => {
    language = other;
    render();
    page.querySelector<HTMLElement>(".language")!.focus();
  };
  const button = element("button", { type: "button", class: "language", lang: other, click: change }, otherLanguage);
  const isOne = data.runs.length === 1;
  const kind = element("p", { class: "kind" }, isOne ? texts().run : texts().comparison);
  const title = element("h1", {}, data.runs.map((run) => run.name).join(isOne ? "" : ", "));
  const lines = data.summary.map((line) => element("p", { class: "summary" }, line));
  return element("header", {}, element("div", { class: "heading" }, kind, button), title, ...lines);
}

/** What must be known of how a run ended, before its curves are read. */
function notices(run: Run): HTMLElement[] {
  const said: string[] = [];
  const name = data.runs.length > 1 ? `${run.name}: ` : "";
  if (run.diverged) {
    const { epoch, step, why } = run.diverged;
    said.push(filled(texts().diverged, { epoch: epoch + 1, step }), translated(language, why));
  } else if (run.status === "interrupted") {
    said.push(filled(texts().interrupted, { epoch: run.begun, steps: run.steps.toLocaleString("en") }));
  }
  if (run.steps === 0) said.push(texts().noSteps);
  const notes: string[] = [];
  if (run.each.at.length < run.steps) {
    notes.push(
      filled(texts().thinned, {
        steps: run.steps.toLocaleString("en"),
        drawn: run.each.at.length.toLocaleString("en"),
      }),
    );
  }
  if (run.epoch.number.length < run.epochs) {
    notes.push(
      filled(texts().thinnedEpochs, {
        epochs: run.epochs.toLocaleString("en"),
        drawn: run.epoch.number.length.toLocaleString("en"),
      }),
    );
  }
  return [
    ...(said.length
      ? [
          element(
            "div",
            { class: "notice", role: "note" },
            ...said.map((text, line) => element("p", {}, line ? text : name + text)),
          ),
        ]
      : []),
    ...notes.map((text) => element("p", { class: "note" }, name + text)),
  ];
}

/** What makes the curves of several runs no comparison: other losses, or other data. */
function unlike(): HTMLElement[] {
  const losses = drawnLosses();
  const found: string[] = [];
  if (losses.size > 1) found.push(texts().otherLosses);
  else if (new Set(data.runs.map((run) => run.data)).size > 1) found.push(texts().otherData);
  const each = losses.size > 1 ? data.runs.map((run) => `${run.name}: ${lossOf(run)}`) : [];
  return found.map((text) =>
    element(
      "div",
      { class: "notice", role: "note" },
      element("p", {}, text),
      ...each.map((line) => element("p", {}, line)),
    ),
  );
}

function drawnLosses(): Set<string> {
  return new Set(data.runs.map((run) => run.loss));
}

/** What the loss of a run is, in words. */
function lossOf(run: Run): string {
  return run.loss ? translated(language, run.loss) : texts().loss;
}

/** Whether the axis counts epochs or steps. */
function axisChoice(): HTMLElement {
  const choice = (steps: boolean, text: string) =>
    element(
      "button",
      {
        type: "button",
        "aria-pressed": String(inSteps === steps),
        click: () => {
          inSteps = steps;
          render();
        },
      },
      text,
    );
  return element(
    "div",
    { class: "choice", role: "group", "aria-label": texts().axis },
    choice(false, texts().epochs),
    choice(true, texts().steps),
  );
}

// --- the curves ------------------------------------------------------------------------------------------------------

function charts(runs: Run[]): HTMLElement[] {
  return [...losses(runs), rates(runs), gradients(runs), updates(runs)];
}

function losses(runs: Run[]): HTMLElement[] {
  const run = runs[0]!;
  if (runs.length === 1) {
    const each: Curve[] =
      run.steps > run.epochs
        ? [curve(run, texts().lossEachStep, 0, run.each.at, run.each.loss, { width: 1, alpha: 0.4 })]
        : [];
    const trained = run.epochs ? [means(run, texts().lossMean, 0, 0)] : [];
    const held = run.heldOut.number.length ? [heldOut(run, texts()[run.watched], 1, 0)] : [];
    return [figure(texts().lossTitle, lossLabel(), [...each, ...trained, ...held], runs)];
  }
  const label = (each: Run) => (drawnLosses().size > 1 ? `${each.name} (${lossOf(each)})` : each.name);
  const trained = runs.flatMap((each, number) => (each.epochs ? [means(each, label(each), number, number)] : []));
  const held = runs.flatMap((each, number) =>
    each.heldOut.number.length ? [heldOut(each, label(each), number, number)] : [],
  );
  const without = runs.filter((each) => !each.epochs).map((each) => each.name);
  const about = without.length ? { about: filled(texts().noEpochIn, { names: without.join(", ") }) } : {};
  const shownHeld = held.length ? [figure(texts().heldOutTitle, lossLabel(), held, runs)] : [];
  return [figure(texts().trainingTitle, lossLabel(), trained, runs, about), ...shownHeld];
}

function lossLabel(): string {
  return drawnLosses().size === 1 ? lossOf(data.runs[0]!) : texts().loss;
}

/** The mean of an epoch stands in its middle. */
function means(run: Run, label: string, number: number, dash: number): Curve {
  return curve(
    run,
    label,
    number,
    run.epoch.number.map((epoch) => epoch + 0.5),
    run.epoch.loss,
    { points: run.epoch.number.length <= 40, dash: dashes(dash) },
  );
}

function heldOut(run: Run, label: string, number: number, dash: number): Curve {
  return curve(
    run,
    label,
    number,
    run.heldOut.number.map((epoch) => epoch + 1),
    run.heldOut.loss,
    { points: run.heldOut.number.length <= 40, dash: dashes(dash) },
  );
}

function rates(runs: Run[]): HTMLElement {
  const curves = perGroup(
    runs,
    (run) => [...run.each.at, run.steps / run.stepsInEpoch], // the last step has its rate until it ends
    (run) => run.each.lr.map((column) => [...column, column.at(-1)!]),
    texts().lr,
    { stepped: true },
  );
  const highest = curves.map(({ y }) => y.reduce<number>((one, other) => Math.max(one, other ?? 0), 0));
  return figure(texts().lrTitle, texts().lr, curves, runs, { log: spreads(highest.filter((rate) => rate > 0)) });
}

function gradients(runs: Run[]): HTMLElement {
  const curves = runs.flatMap((run, number) => {
    if (!run.measured) return [];
    const label = runs.length > 1 ? run.name : texts().gradientNorm;
    return [
      curve(run, label, number, lastSteps(run), run.measured.gradientNorm, {
        points: run.measured.number.length <= 40,
        dash: dashes(runs.length > 1 ? number : 0),
      }),
    ];
  });
  return figure(texts().gradientTitle, texts().gradientNorm, curves, runs, {
    about: texts().gradientAbout,
    measured: true,
  });
}

function updates(runs: Run[]): HTMLElement {
  const curves = perGroup(runs, lastSteps, (run) => run.measured?.updateRatio ?? [], texts().ratioLabel, {
    points: runs.length === 1 && (runs[0]!.measured?.number.length ?? 0) <= 40,
  });
  return figure(texts().updateTitle, texts().updateRatio, curves, runs, { about: texts().updateAbout, measured: true });
}

/** Where the last step of each measured epoch begins. */
function lastSteps(run: Run): number[] {
  return run.measured?.number.map((epoch) => epoch + (run.stepsInEpoch - 1) / run.stepsInEpoch) ?? [];
}

/**
 * A curve for each group of each run, named by `alone` where it is the only one. Groups of a single run differ in
 * colour and dashes; several runs differ in colour, and their groups in dashes.
 */
function perGroup(
  runs: Run[],
  places: (run: Run) => number[],
  columns: (run: Run) => PerGroup,
  alone: string,
  more: Partial<Curve>,
): Curve[] {
  const isOne = runs.length === 1;
  const label = (run: Run, group: number) => {
    const name = groupName(run.groups[group]!);
    if (run.groups.length === 1) return isOne ? alone : run.name;
    return isOne ? name : `${run.name}: ${name}`;
  };
  return runs.flatMap((run, number) =>
    columns(run).map((column, group) => {
      const dash = dashes(isOne ? group : number + group);
      return curve(run, label(run, group), isOne ? group : number, places(run), column, { ...more, dash });
    }),
  );
}

/** The name of a parameter group; a number is no name. */
function groupName(name: string): string {
  return /^\d+$/.test(name) ? filled(texts().group, { number: name }) : name;
}

function curve(
  run: Run,
  label: string,
  number: number,
  at: number[],
  y: (number | null)[],
  more: Partial<Curve>,
): Curve {
  return { label, colour: colour(number), x: inSteps ? at.map((each) => each * run.stepsInEpoch) : at, y, ...more };
}

interface FigureOptions {
  about?: string;
  log?: boolean;
  measured?: boolean; // only runs with measurements have a curve
}

function figure(
  title: string,
  unit: string,
  curves: Curve[],
  runs: Run[],
  { about, log, measured }: FigureOptions = {},
): HTMLElement {
  const { common } = TEXTS[language];
  const isEmpty = curves.every((each) => each.y.every((value) => value === null));
  const notes = [about && (!isEmpty || !measured) ? about : "", ...(measured ? measuredNotes(runs) : [])];
  if (curves.length && isEmpty) notes.push(texts().noEpoch);
  const lines = notes.filter((note) => note).map((note) => element("p", { class: "about" }, note));
  if (isEmpty) return element("section", { class: "card" }, element("h2", {}, title), ...lines);
  const words = {
    title,
    help: common.chartHelp,
    x: inSteps ? common.step : common.epoch,
    y: unit,
    log: common.logScale,
    logOfZero: common.logOfZero,
    toLog: common.toLog,
    toLinear: common.toLinear,
    whole: common.resetZoom,
    zoomIn: common.zoomIn,
    zoomOut: common.zoomOut,
    manyMarks: texts().divergedMarks,
  };
  const made = chart({
    texts: words,
    curves,
    marks: marks(runs),
    where: (x) => where(x, runs),
    extent: [0, Math.max(...runs.map(end))],
    reach: inSteps ? Math.max(...runs.map((run) => run.stepsInEpoch)) : 1,
    together: "report",
    ...(log === undefined ? {} : { log }),
  });
  made.append(...lines);
  return made;
}

/** Which runs were not measured, and which in some epochs only. */
function measuredNotes(runs: Run[]): string[] {
  const missing = runs.filter((run) => !run.measured).map((run) => run.name);
  const notes = runs.flatMap((run) => {
    if (!run.measured || run.measured.every === 1) return [];
    return [(runs.length > 1 ? `${run.name}: ` : "") + filled(texts().measuredEvery, { every: run.measured.every })];
  });
  if (missing.length && runs.length === 1) notes.push(texts().notMeasured);
  else if (missing.length) notes.push(filled(texts().notMeasuredIn, { names: missing.join(", ") }));
  return notes;
}

/** Where a run ends on the axis. */
function end(run: Run): number {
  return inSteps ? run.steps : run.steps / run.stepsInEpoch;
}

function marks(runs: Run[]): Mark[] {
  return runs.flatMap((run) => {
    if (!run.diverged) return [];
    const label = runs.length > 1 ? `${run.name}: ${texts().divergedMark}` : texts().divergedMark;
    return [{ x: run.diverged.at * (inSteps ? run.stepsInEpoch : 1), label, name: run.name }];
  });
}

/** A place on the axis: "12, step 174" of a single run, whose epochs have a known number of steps. */
function where(x: number, runs: Run[]): string {
  if (inSteps) return String(Math.round(x * 10) / 10);
  const steps =
    runs.length === 1 ? `, ${TEXTS[language].common.step} ${Math.round(x * runs[0]!.stepsInEpoch * 10) / 10}` : "";
  return `${Math.round(x * 100) / 100}${steps}`;
}

// --- the tables ------------------------------------------------------------------------------------------------------

function tables(): HTMLElement[] {
  const isOne = data.runs.length === 1;
  const results: [string, string[]][] = [
    [texts().status, data.runs.map((run) => texts()[`status${run.status}`])],
    ...data.results,
  ];
  if (isOne)
    return [table(texts().results, texts().result, results), table(texts().settings, texts().setting, data.settings)];
  const isSame = ([, values]: [string, string[]]) => values.every((value) => value === values[0]);
  const differing = data.settings.filter((row) => !isSame(row));
  const same = data.settings.filter(isSame);
  const { button, whole } = rows(
    texts().setting,
    same.map(([name, values]) => [name, values.slice(0, 1)]),
    [texts().value],
  );
  return [
    differing.length
      ? table(texts().differences, texts().setting, differing)
      : element(
          "section",
          { class: "card" },
          element("h2", {}, texts().differences),
          element("p", {}, texts().noDifference),
        ),
    table(texts().results, texts().result, results),
    element("details", { class: "card" }, element("summary", {}, texts().allSettings), button, whole),
  ];
}

function table(title: string, first: string, values: [string, string[]][]): HTMLElement {
  const columns = data.runs.length === 1 ? [texts().value] : data.runs.map((run) => run.name);
  const { button, whole } = rows(first, values, columns);
  return element(
    "section",
    { class: "card" },
    element("div", { class: "heading" }, element("h2", {}, title), button),
    whole,
  );
}

/** The values of a row as people read them; `title` is the whole one where it was shortened. */
function cellsOf(name: string, cells: string[]): HTMLElement[] {
  const isWorded = WORDED.includes(name);
  const brief = isWorded ? cells.map((cell) => translated(language, cell)) : inBrief(cells);
  return brief.map((text, place) => {
    const whole = cells[place]!;
    const isShort = !isWorded && text.length < whole.length;
    const attributes = {
      ...(isShort ? { title: asRead(whole) } : {}),
      ...(isOneNumber(whole) ? { class: "number" } : {}),
    };
    return element("td", attributes, ...breakable(text));
  });
}

/** A button that shows the numbers of some cells whole, which are in their titles; null where none is shortened. */
function allDigits(lines: HTMLElement[]): HTMLElement | null {
  const cells = lines.flatMap((line) => [...line.querySelectorAll<HTMLElement>("td[title]")]);
  const brief = cells.map((cell) => cell.textContent!);
  const change = () => {
    const shows = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(shows));
    cells.forEach((cell, place) => cell.replaceChildren(...breakable(shows ? cell.title : brief[place]!)));
  };
  const button = element("button", { type: "button", "aria-pressed": "false", click: change }, texts().allDigits);
  return cells.length ? button : null;
}

/** A table as a whole, and a button for its numbers where some are shortened. */
function rows(first: string, values: [string, string[]][], columns: string[]) {
  const head = element("tr", {}, ...[first, ...columns].map((name) => element("th", { scope: "col" }, name)));
  const lines = values.map(([name, cells]) =>
    element(
      "tr",
      {},
      element("th", { scope: "row" }, ...breakable(translated(language, name))),
      ...cellsOf(name, cells),
    ),
  );
  const table = element("table", {}, element("thead", {}, head), element("tbody", {}, ...lines));
  return { button: allDigits(lines), whole: element("div", { class: "scroll", tabindex: "0" }, table) };
}
