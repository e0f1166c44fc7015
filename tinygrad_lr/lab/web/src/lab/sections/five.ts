// Section 5: a schedule put together of phases, the factor at every step, and the same experiment at its rates.
import { Chart, type Band, type Series } from "../chart";
import { button, menu, numberField, numbersField, tick, type Control } from "../controls";
import type { Lab } from "../data";
import { h, put, tell } from "../dom";
import type { Argument, Schedule, Value, Values } from "../engine";
import { experiment, outcome, parameterNames, racerNames } from "../experiment";
import { caption, frame, Legend, sideBySide, updateAll, type Section } from "../layout";
import { SurfaceMap } from "../map";
import { shown } from "../numbers";
import { styleOf } from "../palette";
import { scheduleOf } from "../paths";
import { MOST_PHASES, valuesOf, type Phase } from "../state";
import { documented, says, t } from "../text";

const FACTOR_STYLE = 0;

export function sectionFive(lab: Lab): Section {
  const { engine, store } = lab;
  const state = () => store.state;
  const chart = new Chart(t("scheduleOf"), 230, (x, ended) => {
    store.set({ step: Math.round(x) }, "live");
    if (ended) store.settle();
  });
  const map = new SurfaceMap(t("mapOf"));
  const legend = new Legend();
  const list = h("div", { class: "cards" });
  const said = h("p", { class: "verdict" });
  const written = h("code", {});
  let controls: Control[] = [];
  let shape = "";

  const add = menu(
    t("addPhase"),
    () => [{ value: "", text: t("choose") }, ...Object.keys(engine.schedules).map((value) => ({ value, text: value }))],
    () => "",
    (name) => {
      if (!name || state().phases.length >= MOST_PHASES) return;
      const used = scheduleOf(engine, state().phases).schedule?.totalSteps ?? 0;
      store.set({ phases: [...state().phases, phaseOf(lab, name, Math.max(state().steps - used, 1))] });
    },
  );
  const presets = h("div", { class: "row" }, ...presetButtons(lab));
  const element = frame(
    "schedules",
    "fiveTitle",
    "fiveText",
    {},
    presets,
    sideBySide(
      [
        chart.element,
        caption(t("scheduleCaption")),
        said,
        h("p", { class: "written" }, written),
        map.element,
        legend.element,
        caption(t("feltCaption")),
      ],
      [h("h3", {}, t("phases")), list, add.element],
    ),
  );

  const rebuild = () => {
    const now = JSON.stringify(state().phases.map(({ name }) => name));
    if (now === shape) return;
    shape = now;
    controls = [];
    list.replaceChildren(...state().phases.map((_, i) => phaseCard(lab, i, controls)));
  };

  const update = () => {
    rebuild();
    updateAll([add, ...controls]);
    const { step, steps, surface, looked } = state();
    const { problem, schedule, error, paths } = experiment(lab);
    const names = racerNames(lab);
    chart.show(pictureOf(schedule, steps, step));
    put(written, schedule?.written ?? "");
    const base = state().racers[looked] ? valuesOf(engine, state().racers[looked]!).lr : null;
    const made = Math.max(step, 1); // the step whose rate is told: before the first one, the first
    const factor = schedule ? schedule.value(made - 1) : 1;
    const rate =
      typeof base === "number"
        ? t("rateAt", {
            name: names[looked]!,
            rate: shown(base * factor),
            float: shown(engine.float32Rate(base * factor), 9),
          })
        : "";
    tell(
      said,
      error === null
        ? `${t("factorAt", { step: made, index: made - 1, factor: shown(factor) })}${rate}`
        : t("noSchedule", { error }),
      error !== null,
    );
    chart.describe(said.textContent ?? "");
    map.show({
      problem,
      names: parameterNames(lab, surface),
      paths: paths.map((path, i) => ({ path, style: styleOf(i) })),
      step,
    });
    legend.show(names.map((name, i) => ({ name, style: styleOf(i) })));
    map.describe(paths.map((path, i) => says(names[i]!, outcome(path, step))).join(t("and")));
  };
  return { id: "schedules", element, update };
}

/** The factors over the steps that take them: step 1 takes schedule(0). */
function pictureOf(schedule: Schedule | null, steps: number, step: number) {
  const ys = Float64Array.from({ length: steps }, (_, i) => (schedule ? schedule.value(i) : 1));
  const xs = ys.map((_, i) => i + 1);
  const finite = [...ys].filter(Number.isFinite);
  const series: Series = { name: "", xs, ys, length: steps, style: styleOf(FACTOR_STYLE), dots: steps === 1 };
  const bands: Band[] = (schedule?.phases() ?? []).map(({ start, stop, written }) => {
    const to = stop ?? Infinity;
    return {
      from: start,
      to: Math.min(to, steps),
      label: written,
      inForce: Math.max(step, 1) > start && Math.max(step, 1) <= to,
    };
  });
  const max = Math.max(1, ...finite);
  return {
    x: { min: 0, max: steps, label: t("stepAxis") },
    y: { min: Math.min(0, ...finite), max: max * 1.12, label: t("factorAxis") },
    series: [series],
    bands: bands.filter(({ from }) => from < steps),
    cursor: step,
    reading: (x: number) => {
      const index = Math.max(Math.round(x), 1) - 1;
      return t("factorAt", { step: index + 1, index, factor: shown(ys[index]!) });
    },
  };
}

function presetButtons({ engine, store }: Lab): HTMLElement[] {
  const has = (...names: string[]) => names.every((name) => name in engine.schedules);
  const share = (part: number) => Math.max(1, Math.round(store.state.steps * part));
  const cosine = "warmup_stable_decay, cosine";
  const found: HTMLElement[] = [button(t("presetConstant"), () => store.set({ phases: [] }))];
  if (has("warmup", "cosine")) {
    const phases = (): Phase[] => [
      { name: "warmup", args: { steps: share(0.1) } },
      { name: "cosine", args: { total_steps: share(0.9) } },
    ];
    found.push(button(t("presetCosine"), () => store.set({ phases: phases() })));
  }
  if (has(cosine)) {
    const args = () => ({ warmup_steps: share(0.1), stable_steps: share(0.5), decay_steps: share(0.4) });
    found.push(button(t("presetStable"), () => store.set({ phases: [{ name: cosine, args: args() }] })));
  }
  return found;
}

/** A phase with arguments to begin with: required numbers of steps share the steps that are left. */
function phaseOf({ engine }: Lab, name: string, left: number): Phase {
  const required = engine.schedules[name]!.arguments.filter((each) => each.required);
  const lengths = required.filter(isLength).length;
  const value = (each: Argument): Value => {
    if (isLength(each)) return Math.max(1, Math.floor(left / lengths));
    const first: Record<Argument["kind"], Value> = {
      integer: 1,
      number: 0.1,
      integers: [Math.max(1, Math.floor(left / 2))],
      numbers: [1, 0.1],
      choice: each.choices?.[0] ?? "",
      flag: false,
    };
    return first[each.kind];
  };
  return { name, args: Object.fromEntries(required.map((each) => [each.name, value(each)])) };
}

const LENGTHS = [
  "total_steps",
  "steps",
  "warmup_steps",
  "stable_steps",
  "decay_steps",
  "first_steps",
  "step_size",
  "timescale",
  "up",
  "down",
];

function isLength({ name, kind }: Argument): boolean {
  return kind === "integer" && LENGTHS.includes(name);
}

function phaseCard({ engine, store }: Lab, number: number, controls: Control[]): HTMLElement {
  const { name: of } = store.state.phases[number]!;
  let known = store.state.phases[number]!;
  const isHere = () => store.state.phases[number]?.name === of; // a card off the screen may be older than the state
  const phase = () => (known = isHere() ? store.state.phases[number]! : known);
  const info = engine.schedules[of]!;
  const set = (name: string, value: Value) => {
    if (!isHere()) return;
    const args: Values = { ...phase().args, [name]: value };
    store.set({ phases: store.state.phases.map((each, i) => (i === number ? { ...each, args } : each)) });
  };
  const made = info.arguments.map((each) =>
    argumentControl(
      each,
      () => phase().args[each.name] ?? each.default,
      (value) => set(each.name, value),
    ),
  );
  controls.push(...made);
  const remove = button("×", () => store.set({ phases: store.state.phases.filter((_, i) => i !== number) }), {
    kind: "quiet",
    label: t("removePhase", { name: of }),
  });
  return h(
    "div",
    { class: "card", role: "group", "aria-label": of },
    h("div", { class: "head" }, h("span", { class: "name" }, `${number + 1}. ${of}`), remove),
    documented(info.about),
    h("div", { class: "args" }, ...made.map((control) => control.element)),
  );
}

function argumentControl(
  { name, kind, choices, required }: Argument,
  now: () => Value,
  set: (value: Value) => void,
): Control {
  if (typeof now() === "boolean") return tick(name, () => now() === true, set);
  if (kind === "choice") {
    return menu(
      name,
      () => (choices ?? []).map((value) => ({ value, text: value })),
      () => String(now()),
      set,
    );
  }
  if (kind === "integers" || kind === "numbers") {
    return numbersField(name, () => (Array.isArray(now()) ? (now() as number[]) : []), set);
  }
  return numberField(name, () => (typeof now() === "number" ? (now() as number) : null), set, {
    whole: kind === "integer",
    empty: !required,
  });
}
