// The card of a chosen optimizer: its rate, its dialect and all its hyperparameters, from the table of optimizers.
import { button, menu, numberField, numbersField, slider, tick, type Control } from "./controls";
import type { Lab } from "./lab";
import { h } from "./dom";
import type { Hyperparameter, Value, Values } from "./engine";
import { racerNames } from "./experiment";
import { swatch, updateAll } from "./layout";
import { styleOf } from "./palette";
import { dialectsOf, racerOf, valuesOf, type Racer } from "./state";
import { documented, t } from "./text";

export interface Card extends Control {
  said: HTMLElement; // what came of it
}

export function racerCard(lab: Lab, number: number): Card {
  const { engine, store } = lab;
  const of = store.state.racers[number]!.name;
  let known = store.state.racers[number]!;
  const isHere = () => store.state.racers[number]?.name === of; // a card off the screen may be older than the state
  const racer = () => (known = isHere() ? store.state.racers[number]! : known);
  const change = (patch: Partial<Racer>, live = false) => {
    if (!isHere()) return;
    const racers = store.state.racers.map((each, i) => (i === number ? { ...each, ...patch } : each));
    store.set({ racers }, live ? "live" : "once");
  };
  const info = engine.optimizers[of]!;
  const setValue = (name: string, value: Value, live = false) =>
    change({ values: changed(lab, racer(), name, value) }, live);
  const valueOf = (name: string): Value => valuesOf(engine, racer())[name] ?? null;

  const controls: Control[] = [];
  const keep = (control: Control) => {
    controls.push(control);
    return control.element;
  };
  const rate = () => valueOf("lr");
  const rateSlider =
    typeof rate() === "number"
      ? keep(
          slider({
            label: t("rate"),
            min: 1e-5,
            max: 100,
            log: true,
            any: true,
            value: () => (typeof rate() === "number" ? (rate() as number) : 0),
            set: (value, live) => setValue("lr", value, live),
          }),
        )
      : null;
  const dialect = keep(
    menu(
      t("dialect"),
      () => dialectsOf(engine, of).map((value) => ({ value, text: value })),
      () => racer().dialect,
      (value) => change({ dialect: value, values: keptIn(lab, racer(), value) }),
    ),
  );
  const rest = info.hyperparameters
    .filter(({ name }) => name !== "lr" || typeof rate() !== "number")
    .map((each) => h("div", { class: "hyper" }, keep(widget(each, valueOf, setValue)), documented(each.about)));
  const said = h("span", { class: "said" });
  const title = h("span", { class: "name" });
  const remove = button("×", () => removed(lab, number), { kind: "quiet", label: "" });
  const element = h(
    "div",
    { class: "card", role: "group" },
    h("div", { class: "head wraps" }, h("span", { class: "head" }, swatch(styleOf(number)), title), said, remove),
    rateSlider,
    h("details", {}, h("summary", {}, t("details")), documented(info.about), dialect, ...rest),
  );
  const update = () => {
    if (!isHere()) return;
    const name = racerNames(lab)[number]!;
    title.textContent = name;
    element.setAttribute("aria-label", name);
    remove.setAttribute("aria-label", t("removeOptimizer", { name }));
    updateAll(controls);
  };
  update();
  return { element, said, update };
}

function removed({ store }: Lab, number: number): void {
  const racers = store.state.racers.filter((_, i) => i !== number);
  const before = store.state.looked;
  const looked = Math.max(0, Math.min(before > number ? before - 1 : before, racers.length - 1));
  store.set({ racers, looked, without: "" });
}

/** A racer's own values with one of them changed; what the dialect has is not kept. */
function changed({ engine }: Lab, racer: Racer, name: string, value: Value): Values {
  const usual = engine.optimizers[racer.name]!.dialects[racer.dialect]![name];
  const { [name]: _, ...others } = racer.values;
  return JSON.stringify(usual) === JSON.stringify(value) ? others : { ...others, [name]: value };
}

/** The same values in another dialect. */
function keptIn(lab: Lab, racer: Racer, dialect: string): Values {
  let found: Racer = { ...racerOf(lab.engine, racer.name), dialect };
  for (const [name, value] of Object.entries(racer.values))
    found = { ...found, values: changed(lab, found, name, value) };
  return found.values;
}

function widget(
  { name, kind, choices }: Hyperparameter,
  valueOf: (name: string) => Value,
  set: (name: string, value: Value) => void,
): Control {
  const now = () => valueOf(name);
  if (kind === "flag")
    return tick(
      name,
      () => now() === true,
      (value) => set(name, value),
    );
  if (kind === "choice") {
    const known = () => [...new Set([...(choices ?? []), String(now())])].map((value) => ({ value, text: value }));
    return menu(
      name,
      known,
      () => String(now()),
      (value) => set(name, value),
    );
  }
  if (kind === "numbers") {
    return numbersField(
      name,
      () => (Array.isArray(now()) ? (now() as number[]) : []),
      (value) => set(name, value),
    );
  }
  const whole = kind === "integer";
  return numberField(
    name,
    () => (typeof now() === "number" ? (now() as number) : null),
    (value) => set(name, value),
    {
      whole,
      empty: true,
    },
  );
}
