// The page: its head, its sections, and the clock that moves all of them from step to step.
import { pageData } from "../common/page";
import { drawAll, followBrowser } from "./canvas";
import { button, choice, numberField, type Control } from "./controls";
import type { PageData } from "./data";
import type { Lab } from "./lab";
import { h, put } from "./dom";
import type { Engine } from "./engine";
import type { Section } from "./layout";
import { clamped } from "./numbers";
import { pathsAhead, placesOf } from "./experiment";
import { inSlices } from "./slices";
import { sectionFive } from "./sections/five";
import { sectionFour } from "./sections/four";
import { sectionOne } from "./sections/one";
import { sectionSeven } from "./sections/seven";
import { sectionSix } from "./sections/six";
import { sectionThree } from "./sections/three";
import { sectionTwo } from "./sections/two";
import { firstState, fromHash, MOST_STEPS, toHash, type State } from "./state";
import { Store, type Changed } from "./store";
import { short, speak, t, type Key, type Language } from "./text";

declare const engine: Engine;

const SECTIONS: [(lab: Lab) => Section, Key][] = [
  [sectionOne, "oneTitle"],
  [sectionTwo, "twoTitle"],
  [sectionThree, "threeTitle"],
  [sectionFour, "fourTitle"],
  [sectionFive, "fiveTitle"],
  [sectionSix, "sixTitle"],
  [sectionSeven, "sevenTitle"],
];
const reduced = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
const QUIET = 250; // milliseconds without a change after which sections off the screen follow
const SECONDS = 6; // that a play of all steps takes
const HOPS = 10; // in which it goes where motion is to be reduced
const GAP = 12; // pixels between the clock and what has the focus

export function open(): void {
  const data = pageData<PageData>();
  followBrowser();
  const first = firstState(engine, data);
  const store = new Store(
    (state) => toHash(state, first),
    (hash) => fromHash(hash, engine, data),
  );
  const lab: Lab = { engine, data, store };
  // For the console, and for tests: the paths as they were computed.
  Object.assign(window, { laboratory: { places: () => placesOf(lab) } });
  let page = build(lab);
  let isNew = false; // what is scrolled to stays in sight where all of a new page is there at once
  /** Show the state as soon as its paths are computed. */
  const follow = () =>
    inSlices(pathsAhead(lab), page.clock.busy, () => {
      if (isNew) page.all();
      isNew = false;
      page.update();
    });
  store.subscribe((changed) => {
    isNew ||= changed.has("language");
    if (changed.has("language")) page = rebuilt(lab, page);
    else page.wait(changed);
    follow();
  });
  // What needs no paths is seen first: the second frame has it.
  requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(follow)));
  addEventListener("beforeprint", () => {
    page.all();
    drawAll();
  });
  addEventListener("focusin", ({ target }) => page.clock.uncover(target as HTMLElement));
}

interface Page extends Sections {
  clock: Clock;
}

/** The page in another language: it plays on, and what was open is open. */
function rebuilt(lab: Lab, before: Page): Page {
  const details = () => [...document.querySelectorAll("details")];
  const opened = details().map(({ open }) => open);
  const page = build(lab);
  details().forEach((each, i) => (each.open = opened[i] ?? false));
  page.clock.playOn(before.clock);
  document.querySelector<HTMLElement>(".languages input:checked")?.focus();
  return page;
}

function build(lab: Lab): Page {
  const { store, data } = lab;
  speak(store.state.language);
  document.documentElement.lang = store.state.language === "zh" ? "zh-Hans" : "en";
  document.title = t("title");
  const sections = SECTIONS.map(([make]) => make(lab));
  const clock = clockOf(lab);
  const languages = choice(
    t("language"),
    [
      { value: "en", text: "English" },
      { value: "zh", text: "中文" },
    ],
    () => store.state.language,
    (language) => store.set({ language: language as Language }),
  );
  languages.element.classList.add("languages");
  const links = sections.map(({ id, element }, i) =>
    h("a", { href: `#${id}`, click: (event) => jump(event, element) }, t(SECTIONS[i]![1])),
  );
  const { name, of, target, features, columns } = data.table;
  const count = columns[0].length;
  const about = t(count < of ? "tableSome" : "tableAll", {
    name: short(name),
    rows: count,
    of,
    target: short(target),
    first: short(features[0]),
    second: short(features[1]),
  });
  document.body.replaceChildren(
    ...document.querySelectorAll("script"),
    h("a", { href: "#main", class: "skip", click: (event) => jump(event, document.querySelector("main")!) }, t("skip")),
    h(
      "header",
      {},
      h("div", { class: "top" }, h("h1", {}, t("title")), languages.element),
      h("p", { class: "lead" }, t("lead")),
      h("p", { class: "about" }, about),
      h("nav", { "aria-label": t("contents") }, ...links),
    ),
    h("main", { id: "main", tabindex: "-1" }, ...sections.map(({ element }) => element)),
    clock.element,
    h("footer", {}, h("p", {}, t("footer", { version: data.version }))),
  );
  const shown = eagerWhereSeen(sections);
  const update = () => {
    shown.update();
    clock.update();
    languages.update();
  };
  return { ...shown, clock, update };
}

interface Sections {
  wait(changed: Changed): void; // the state has changed: pictures stay as they are until the next `update`
  update(): void; // those on the screen at once, and the others when nothing has changed for a while
  all(): void; // at once, those off the screen as well
}

/** The sections, kept as the state is. */
function eagerWhereSeen(sections: Section[]): Sections {
  const seen = new Set<Section>();
  const stale = new Set<Section>();
  let [waiting, timer] = [false, 0];
  const isLate = (section: Section) => stale.has(section) && !(waiting && section.needsPaths !== false);
  const refresh = (section: Section) => {
    if (!isLate(section)) return;
    stale.delete(section);
    if (!section.element.isConnected) return;
    section.update();
    section.element.removeAttribute("data-stale");
  };
  const observer = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries) {
        const section = sections.find(({ element }) => element === target)!;
        seen[isIntersecting ? "add" : "delete"](section);
        if (isIntersecting) refresh(section);
      }
    },
    { rootMargin: "200px" },
  );
  for (const { element } of sections) observer.observe(element);
  const rest = (pause: number) => {
    clearTimeout(timer);
    timer = window.setTimeout(() => {
      const next = sections.find(isLate);
      if (next) refresh(next);
      if (next) rest(0);
    }, pause);
  };
  const update = () => {
    waiting = false;
    seen.forEach(refresh);
    rest(QUIET);
  };
  const wait = (changed: Changed) => {
    waiting = true;
    if (changed.size > 1 || !changed.has("step")) for (const each of sections) each.arrange?.();
    for (const each of sections) {
      stale.add(each);
      each.element.setAttribute("data-stale", ""); // tests wait for what they look at
    }
    seen.forEach(refresh);
  };
  const all = () => {
    update();
    sections.forEach(refresh);
  };
  wait(new Set());
  return { wait, update, all };
}

/** Go to a part of the page. The address holds the state, so that a link's own place in it is not used. */
function jump(event: Event, element: HTMLElement): void {
  event.preventDefault();
  element.scrollIntoView({ behavior: reduced() ? "auto" : "smooth" });
  (element.querySelector<HTMLElement>("h2") ?? element).focus({ preventScroll: true });
}

interface Clock extends Control {
  beginning(): [number, number] | null; // of a play: when, and from which step
  playOn(before: Clock): void;
  busy(): void; // say that paths are computed
  uncover(element: HTMLElement): void; // scroll what has the focus out from under the clock
}

/** Play, one step back and forth, the step that is looked at, and how many there are. */
function clockOf({ store }: Lab): Clock {
  const state = () => store.state;
  const go = (step: number, how: "once" | "live" | "passing" = "once") =>
    store.set({ step: clamped(step, 0, state().steps) }, how);
  let playing = false;
  let computing = false;
  let began = 0;
  let last = 0; // when the last frame was
  let from = 0;
  const frame = (now: number) => {
    if (!playing || !element.isConnected) return;
    if (computing) began += now - last; // it waits for what it is to show
    last = now;
    if (!computing) playTo(now);
    if (playing) requestAnimationFrame(frame);
  };
  const playTo = (now: number) => {
    const share = (now - began) / (1000 * SECONDS);
    const part = reduced() ? Math.floor(share * HOPS) / HOPS : share;
    go(Math.min(Math.floor(from + part * state().steps), state().steps), "passing");
    if (state().step >= state().steps) toggle();
  };
  const toggle = () => {
    playing = !playing;
    put(play, playing ? "❚❚" : "▶");
    play.setAttribute("aria-label", t(playing ? "pause" : "play"));
    if (!playing) return;
    store.onFollow = () => playing && toggle();
    from = state().step >= state().steps ? 0 : state().step;
    began = last = performance.now();
    go(from, "passing");
    requestAnimationFrame(frame);
  };
  const play = button("▶", toggle, { label: t("play"), kind: "main" });
  const scrub = h("input", {
    type: "range",
    min: "0",
    step: "1",
    "aria-label": t("stepAxis"),
    input: () => go(Number(scrub.value), "live"),
    change: () => store.settle(),
  });
  const now = h("output", { "aria-live": "off" }); // the slider says it
  const steps = numberField(
    t("stepsOf"),
    () => state().steps,
    (value) => {
      const count = Math.round(value!);
      store.set({ steps: count, step: state().step >= state().steps ? count : Math.min(state().step, count) });
    },
    { whole: true, min: 1, max: MOST_STEPS },
  );
  const back = button("−", () => go(state().step - 1), { label: t("stepBack") });
  const forth = button("+", () => go(state().step + 1), { label: t("stepForth") });
  const element = h(
    "div",
    { class: "clock", role: "region", "aria-label": t("clock") },
    play,
    back,
    scrub,
    forth,
    now,
    steps.element,
  );
  const update = () => {
    computing = false;
    const { step, steps: count }: State = state();
    scrub.max = String(count);
    scrub.value = String(step);
    scrub.setAttribute("aria-valuetext", t("stepOf", { step, steps: count }));
    put(now, t("stepOf", { step, steps: count }));
    steps.update();
  };
  update();
  return {
    element,
    update,
    beginning: () => (playing ? [began, from] : null),
    playOn: (before) => {
      const found = before.beginning();
      if (found) toggle();
      if (found) [began, from] = found;
    },
    busy: () => {
      computing = true;
      put(now, t("working"));
    },
    uncover: (focused) => {
      if (element.contains(focused) || !focused.matches(":focus-visible")) return;
      const [there, clock] = [focused.getBoundingClientRect(), element.getBoundingClientRect()];
      const hidden = there.bottom + GAP - clock.top;
      if (hidden > 0 && there.height < clock.top) scrollBy(0, hidden);
    },
  };
}
