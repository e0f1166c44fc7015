// Section 3: one step of one parameter under the glass, with every line of the formula, and what a term does.
import { choice, menu } from "../controls";
import type { Lab } from "../lab";
import { h, put } from "../dom";
import { experiment, leftOut, outcome, parameterNames, racerNames, scheduleNote } from "../experiment";
import { ruleOf, type Rule } from "../formula/explain";
import { glassOf, linesOf, plainLines, rowsOf, scalarRows } from "../glass";
import { FormulaPanel, NumbersPanel } from "../glass_view";
import { caption, frame, Legend, sideBySide, updateAll, type Section } from "../layout";
import { SurfaceMap } from "../map";
import { styleOf } from "../palette";
import { messageOf } from "../path";
import { lookAt, pathWithout, type Course } from "../paths";
import { TABLE } from "../state";
import { ruleFor, termsOf } from "../terms";
import { refusal, says, t } from "../text";

export function sectionThree(lab: Lab): Section {
  const { store } = lab;
  const state = () => store.state;
  const map = new SurfaceMap(t("mapOf"));
  const legend = new Legend();
  const note = scheduleNote(lab);
  const said = h("p", { class: "verdict" });
  const called = h("p", { class: "caption" }); // what the map calls the parameters
  const formula = new FormulaPanel();
  const table = new NumbersPanel();
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
    () => [
      { value: "", text: t(termsOf(lab).size ? "withoutNothing" : "withoutNone") },
      ...[...termsOf(lab)].map(([value, { name }]) => ({ value, text: t(name) })),
    ],
    () => leftOut(lab)?.term ?? "",
    (value) => store.set({ without: value }),
  );
  const element = frame(
    "glass",
    "threeTitle",
    "threeText",
    {},
    note.element,
    sideBySide(
      [
        h("div", { class: "row" }, racer.element, axis.element),
        called,
        map.element,
        legend.element,
        caption(t("glassCaption")),
        without.element,
        said,
      ],
      [formula.element],
    ),
    table.element,
  );

  const update = () => {
    updateAll([note, racer, axis, without]);
    const { looked, step, steps, surface } = state();
    const { courses, paths, problem } = experiment(lab);
    const [course, path] = [courses[looked], paths[looked]];
    const names = parameterNames(lab, surface);
    put(called, surface === TABLE ? names.map((name, i) => says(i ? "y" : "x", name)).join(t("and")) : "");
    if (!course || !path) {
      map.show({ problem, names, paths: [], step });
      formula.show([], "");
      table.show([], [], "");
      put(said, t("noOptimizer"));
      return;
    }
    const left = leftOut(lab);
    const other = left ? pathWithout(course, steps, left) : null;
    const style = { ...styleOf(looked), dash: [] };
    const drawn = [{ path, style }, ...(other ? [{ path: other, style, dashed: true }] : [])];
    map.show({ problem, names, paths: drawn, step });
    const text = [outcome(path, step), ...(other && left ? [says(left.name, outcome(other, step))] : [])].join(
      t("and"),
    );
    const at = course.schedule && step > 0 ? t("madeWith", { step, index: step - 1 }) : t("stepIs", { step });
    put(said, says(at, text));
    map.describe(text);
    legend.show([
      { name: racerNames(lab)[looked]!, style },
      ...(left ? [{ name: left.name, style, dashed: true }] : []),
    ]);
    look(course, left?.rule ?? null, path.error);
  };

  /** Show the lines and the numbers of the step, as far as there are any. */
  const look = (course: Course, left: Rule | null, refused: string | null) => {
    const { step, axis: index } = state();
    const rule = ruleFor(lab, course.racer);
    const found = step > 0 ? lookAt(course, step - 1) : null;
    const note = found ? "" : refused === null ? t(step === 0 ? "noStep" : "noNumbers") : refusal(refused);
    if (!rule) {
      formula.show([], t("noFormula"));
      table.show([], found ? scalarRows(found) : [], note);
      return;
    }
    if (!found) {
      formula.show(plainLines(rule.lines), rule.formula.source);
      table.show([], [], note);
      return;
    }
    try {
      const inForce = ruleOf(lab.engine, rule.formula, found.values);
      const glass = glassOf(inForce, found, index);
      formula.show(linesOf(glass, left), rule.formula.source);
      table.show(rowsOf(glass), scalarRows(found), "");
    } catch (error) {
      formula.show(plainLines(rule.lines), rule.formula.source);
      table.show([], scalarRows(found), refusal(messageOf(error)));
    }
  };
  return { id: "glass", element, update };
}
