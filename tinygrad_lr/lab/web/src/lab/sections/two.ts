// Section 2: a surface with two parameters, and any number of optimizers that descend it from one place.
import { Chart } from "../chart";
import { button, choice, copyButton, menu, numberField, slider, type Control } from "../controls";
import type { Lab } from "../lab";
import { h, put, tell } from "../dom";
import {
  experiment,
  lossAxis,
  lossSeries,
  outcome,
  parameterNames,
  racerNames,
  reading,
  scheduleNote,
  surfaceName,
} from "../experiment";
import { caption, frame, sideBySide, updateAll, type Section } from "../layout";
import { SurfaceMap } from "../map";
import { shown } from "../numbers";
import { styleOf } from "../palette";
import { problemOf } from "../problem";
import { programOf } from "../python";
import { racerCard, type Card } from "../racers";
import { MOST_RACERS, racerOf, TABLE } from "../state";
import { documented, says, t, told } from "../text";

const LINE = "parabola"; // of one parameter: section 1 has it

export function sectionTwo(lab: Lab): Section {
  const { engine, data, store } = lab;
  const state = () => store.state;
  const map = new SurfaceMap(t("mapOf"), (start) => store.set({ start }));
  const losses = new Chart(t("lossesOf"), 230, (x, ended) => {
    store.set({ step: Math.round(x) }, "live");
    if (ended) store.settle();
  });
  const cards = h("div", { class: "cards" });
  const args = h("div", { class: "args" });
  let made: Card[] = [];
  let argControls: Control[] = [];
  let shape = "";
  let argsOf = "";

  const surfaces = choice(
    t("surface"),
    [TABLE, ...Object.keys(engine.surfaces).filter((name) => name !== LINE)].map((value) => ({
      value,
      text: surfaceName(lab, value),
    })),
    () => state().surface,
    (surface) => store.set({ surface, start: null, args: {} }),
  );
  const place = [0, 1].map((axis) =>
    numberField(
      t("startOf", { name: axis ? "y" : "x" }),
      () => problemOf(lab, state()).start[axis]!,
      (value) => {
        const [x, y] = problemOf(lab, state()).start;
        store.set({ start: axis ? [x, value!] : [value!, y] });
      },
    ),
  );
  const add = menu(
    t("addOptimizer"),
    () => [{ value: "", text: t("choose") }, ...optimizers(lab)],
    () => "",
    (name) => {
      if (name && state().racers.length < MOST_RACERS) {
        store.set({ racers: [...state().racers, racerOf(engine, name, firstRate(lab, name))] });
      }
    },
  );
  const note = scheduleNote(lab);
  const legend = caption("");
  const again = button(t("ownStart"), () => store.set({ start: null }));
  const element = frame(
    "surface",
    "twoTitle",
    "twoText",
    { rows: data.table.columns[0].length },
    surfaces.element,
    note.element,
    sideBySide(
      [map.element, legend, args, h("div", { class: "row" }, ...place.map((each) => each.element), again)],
      [h("h3", {}, t("optimizers")), cards, add.element, leftOut(lab)],
    ),
    h("div", { class: "panel" }, losses.element, caption(t("lossesCaption"))),
    copyButton(t("copyPython"), t("copied"), () => programOf(lab)),
  );

  const rebuild = () => {
    const now = JSON.stringify(state().racers.map(({ name, dialect }) => [name, dialect]));
    if (now !== shape) {
      made = state().racers.map((_, i) => racerCard(lab, i));
      cards.replaceChildren(...made.map((each) => each.element));
      shape = now;
    }
    const info = engine.surfaces[state().surface];
    const key = info ? state().surface : "";
    if (key === argsOf) return;
    argsOf = key;
    argControls = (info?.arguments ?? []).map((each) =>
      slider({
        label: argumentName(each.name),
        min: Math.max(each.least, 1e-3),
        max: Math.max(each.least, 1) * 1e4,
        log: true,
        value: () => state().args[each.name] ?? each.default,
        set: (value, live) => store.set({ args: { ...state().args, [each.name]: value } }, live ? "live" : "once"),
      }),
    );
    args.replaceChildren(...(info ? [documented(info.about)] : []), ...argControls.map((each) => each.element));
  };

  const arrange = () => {
    rebuild();
    updateAll([note, surfaces, add, ...place, ...argControls, ...made]);
  };

  const update = () => {
    arrange();
    const { problem, paths } = experiment(lab);
    const names = racerNames(lab);
    const { step, steps, surface } = state();
    map.show({
      problem,
      names: parameterNames(lab, surface),
      paths: paths.map((path, i) => ({ path, style: styleOf(i) })),
      step,
    });
    const { minimum, twin } = problem;
    put(legend, t("mapCaption", { minimum: t(twin ? "crosses" : minimum ? "cross" : "noCross") }));
    const said = paths.map((path, i) => says(names[i]!, outcome(path, step)));
    map.describe(
      t("mapSays", {
        surface: surfaceName(lab, surface),
        x: shown(problem.start[0]),
        y: shown(problem.start[1]),
        step,
        paths: said.join(t("and")),
      }),
    );
    const series = paths.map((path, i) => lossSeries(path, i, names[i]!));
    losses.show({
      x: { min: 0, max: steps, label: t("stepAxis") },
      y: lossAxis(series),
      series,
      cursor: step,
      reading: reading(names, paths),
    });
    losses.describe(t("lossesSay", { step, paths: said.join(t("and")) }));
    made.forEach((card, i) => tell(card.said, outcome(paths[i]!, step), paths[i]!.error !== null));
  };
  return { id: "surface", element, update, arrange };
}

function argumentName(name: string): string {
  return name === "condition" ? t("condition") : name;
}

/** The optimizers of the table, by family, but for those that need more than gradients. */
export function optimizers({ engine }: Lab): { value: string; text: string; group?: string }[] {
  return Object.entries(engine.optimizers)
    .filter(([, { needs }]) => !needs)
    .map(([value, { title, family }]) => ({ value, text: title, group: told(family).text }));
}

/** A sentence about the optimizers that the list has not. */
function leftOut({ engine }: Lab): HTMLElement | null {
  const rows = Object.values(engine.optimizers).filter(({ needs }) => needs);
  return rows.length ? caption(t("leftOut", { names: rows.map(({ title }) => title).join(", ") })) : null;
}

/** A rate to begin with: what the table's problem bears, where the optimizer has a number as its rate. */
function firstRate({ engine }: Lab, name: string): Record<string, number> {
  const { dialects } = engine.optimizers[name]!;
  const own = Object.values(dialects)[0]!.lr;
  return typeof own === "number" && own < 0.05 ? { lr: 0.05 } : {};
}
