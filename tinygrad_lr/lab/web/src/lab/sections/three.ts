// Section 3: one step of one parameter under the glass, with every number that the rule used, and what a term does.
import { choice, menu } from "../controls";
import type { Lab } from "../data";
import { h, put } from "../dom";
import type { Value, Values } from "../engine";
import { experiment, outcome, parameterNames, racerNames } from "../experiment";
import { caption, frame, Legend, sideBySide, updateAll, type Section } from "../layout";
import { SurfaceMap } from "../map";
import { shown } from "../numbers";
import { styleOf } from "../palette";
import { lookAt, pathOf, type Course, type Look } from "../paths";
import { valuesOf, type Racer } from "../state";
import { t, textOr } from "../text";

interface Without {
  key: string;
  text: string;
  values: Values;
}

/** The terms that can be left out of an optimizer by its own hyperparameters. */
function terms({ engine }: Lab, racer: Racer): Without[] {
  const values = valuesOf(engine, racer);
  const found: Without[] = [];
  const add = (key: string, text: string, changed: Values) => found.push({ key, text, values: changed });
  for (const { name, kind } of engine.optimizers[racer.name]!.hyperparameters) {
    const value: Value = values[name] ?? null;
    if (name === "betas" && Array.isArray(value)) {
      if (value[0] !== 0) add("beta1", t("withoutMomentum", { what: "beta1 = 0" }), { betas: [0, ...value.slice(1)] });
      if (typeof value[1] === "number" && value[1] !== 0) {
        add("beta2", t("withoutMemory", { what: "beta2 = 0" }), { betas: [value[0]!, 0, ...value.slice(2)] });
      }
    } else if (name === "momentum" && typeof value === "number" && value !== 0) {
      add(name, t("withoutMomentum", { what: "momentum = 0" }), {
        [name]: 0,
        ...("nesterov" in values ? { nesterov: false } : {}),
      });
    } else if (name === "weight_decay" && typeof value === "number" && value !== 0) {
      add(name, t("withoutDecay", { what: "weight_decay = 0" }), { [name]: 0 });
    } else if ((name === "eps" || name === "epsilon") && typeof value === "number" && value !== 0) {
      add(name, t("withoutEps", { what: `${name} = 0` }), { [name]: 0 });
    } else if (kind === "flag" && value === true) {
      add(name, t("withoutFlag", { what: name }), { [name]: false });
    }
  }
  return found;
}

export function sectionThree(lab: Lab): Section {
  const { data, store } = lab;
  const state = () => store.state;
  const map = new SurfaceMap(t("mapOf"));
  const legend = new Legend();
  const formula = h("div", { class: "formula" });
  const rows = h("tbody", {});
  const said = h("p", { class: "verdict", role: "status" });
  const racer = menu(
    t("optimizer"),
    () => racerNames(lab).map((text, i) => ({ value: String(i), text })),
    () => String(state().looked),
    (value) => store.set({ looked: Number(value), without: "" }),
  );
  const axis = choice(
    t("parameter"),
    [
      { value: "0", text: "x" },
      { value: "1", text: "y" },
    ],
    () => String(state().axis),
    (value) => store.set({ axis: Number(value) }),
  );
  const without = menu(
    t("without"),
    () => {
      const looked = state().racers[state().looked];
      return [
        { value: "", text: t("withoutNothing") },
        ...(looked ? terms(lab, looked).map(({ key, text }) => ({ value: key, text })) : []),
      ];
    },
    () => state().without,
    (value) => store.set({ without: value }),
  );
  const table = h(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": t("numbersOf") },
    h(
      "table",
      {},
      h("thead", {}, h("tr", {}, ...[t("quantity"), t("value")].map((each) => h("th", { scope: "col" }, each)))),
      rows,
    ),
  );
  const element = frame(
    "glass",
    "threeTitle",
    "threeText",
    {},
    sideBySide(
      [
        h("div", { class: "row" }, racer.element, axis.element),
        map.element,
        legend.element,
        caption(t("glassCaption")),
        without.element,
        said,
      ],
      [formula, table],
    ),
  );
  let lines = "";

  const update = () => {
    updateAll([racer, axis, without]);
    const { looked, step, steps, surface } = state();
    const { courses, paths, problem } = experiment(lab);
    const [course, path] = [courses[looked], paths[looked]];
    const names = parameterNames(lab, surface);
    if (!course || !path) {
      map.show({ problem, names, paths: [], step });
      rows.replaceChildren();
      formula.replaceChildren();
      put(said, t("noOptimizer"));
      return;
    }
    const left = terms(lab, course.racer).find(({ key }) => key === state().without);
    const other = left ? pathOf(leftOut(course, left), steps) : null;
    const style = { ...styleOf(looked), dash: [] };
    const drawn = [{ path, style }, ...(other ? [{ path: other, style, dashed: true }] : [])];
    map.show({ problem, names, paths: drawn, step });
    const text = [outcome(path, step), ...(other && left ? [`${left.text}: ${outcome(other, step)}`] : [])].join("; ");
    put(said, `${t("stepIs", { step })}: ${text}`);
    map.describe(text);
    legend.show([
      { name: racerNames(lab)[looked]!, style },
      ...(left ? [{ name: left.text, style, dashed: true }] : []),
    ]);
    if (course.racer.name !== lines)
      formula.innerHTML = (data.optimizers[course.racer.name]?.lines ?? [])
        .map((line) => `<div>${line}</div>`)
        .join("");
    lines = course.racer.name;
    const look = step > 0 ? lookAt(course, step - 1) : null;
    rows.replaceChildren(
      ...(look ? rowsOf(look, state().axis, step) : [note(step === 0 ? t("noStep") : t("noNumbers"))]),
    );
  };
  return { id: "glass", element, update };
}

function leftOut(course: Course, { values }: Without): Course {
  return { ...course, racer: { ...course.racer, values: { ...course.racer.values, ...values } } };
}

function note(text: string): HTMLElement {
  return h("tr", {}, h("td", { colspan: "2" }, text));
}

function rowsOf(look: Look, axis: number, step: number): HTMLElement[] {
  const [before, after, gradient] = [look.before[axis]!, look.after[axis]!, look.gradient[axis]!];
  const change = after - before;
  const found: [string, string, string?][] = [
    [t("stepNumber"), String(step)],
    [t("weightBefore"), shown(before, 7), "theta"],
    [t("gradient"), shown(gradient, 7), "g"],
  ];
  if (look.rate !== null) found.push([t("rateInForce"), shown(look.rate, 7), "lr"]);
  for (const [name, values] of Object.entries(look.states)) {
    const value = values.length === look.before.length ? values[axis] : values[Math.min(axis, values.length - 1)];
    if (value !== undefined) found.push([textOr(`state_${name}`, t("state")), shown(value, 7), name]);
  }
  for (const [name, value] of Object.entries(look.numbers))
    found.push([textOr(`number_${name}`, t("numberKept")), shown(value, 7), name]);
  for (const [name, value] of Object.entries(look.scalars))
    found.push([textOr(`scalar_${name}`, t("scalar")), shown(value, 7), name]);
  found.push(
    [t("change"), shown(change, 7)],
    [t("effective"), gradient === 0 ? "—" : shown(-change / gradient, 7)],
    [t("weightAfter"), shown(after, 7)],
  );
  return found.map(([name, value, code]) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, name, code ? " " : null, code ? h("code", {}, code) : null),
      h("td", {}, value),
    ),
  );
}
