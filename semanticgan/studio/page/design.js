// The four steps.

import * as api from "./api.js";
import { byId, complain, element, say } from "./elements.js";
import * as face from "./face.js";
import { makeGrid } from "./grid.js";
import { photographPanel } from "./photograph.js";
import * as state from "./state.js";

const kept = new Map(); // what was offered, by what was asked; the newest only
const MOST_KEPT = 24;

async function offered(asked) {
  const key = JSON.stringify(asked);
  if (!kept.has(key)) {
    const { step, ...body } = asked;
    kept.set(key, (await api.post("offer", `/api/steps/${step}`, body)).pictures);
    if (kept.size > MOST_KEPT) kept.delete(kept.keys().next().value);
  }
  return kept.get(key);
}

// The choice that a picture stands for: its source in the first step, its last operation in the others.
const choiceOf = (view, picture) => (view ? picture.script.operations.at(-1) : picture.script.source);

function choose(view, picture) {
  const { choices } = state.now();
  face.showPicture(picture.picture);
  const choice = choiceOf(view, picture);
  if (view) state.change({ choices: choices.map((old, index) => (index === view ? choice : old)) });
  else state.change({ source: choice, photograph: null });
}

function shuffle(view, by) {
  const { shuffles } = state.now();
  state.change({ shuffles: shuffles.map((old, index) => (index === view ? Math.max(old + by, 0) : old)) });
}

export function designPanel(about) {
  const panel = byId("panel");
  let shownView = -1;
  let grid = null;
  let counter = null;
  let earlier = null;
  let asking = 0;

  function build(view) {
    const { title, hint } = about().steps[view];
    grid = makeGrid(`Sixteen choices: ${title}`, title);
    counter = element("span", { class: "counter" });
    earlier = element("button", { type: "button", onclick: () => shuffle(view, -1) }, "Earlier");
    const next = view < 3
      ? element("button", { type: "button", class: "primary", onclick: () => state.change({ view: view + 1 }) },
        `Next: ${about().steps[view + 1].title}`)
      : element("button", { type: "button", class: "primary", onclick: () => state.change({ view: 4 }) }, "Next: Editor");
    next.id = "next";
    panel.classList.add("design");
    panel.replaceChildren(
      element("div", { class: "heading" },
        element("div", {}, element("h1", { id: "panel-title" }, title), element("p", { class: "hint" }, hint)),
        element("div", { class: "bar" },
          earlier,
          element("button", { type: "button", id: "shuffle", onclick: () => shuffle(view, 1) }, "Shuffle"),
          next)),
      grid.root,
      counter,
      ...(view ? [] : [photographPanel(about)]),
    );
    shownView = view;
  }

  async function fill(current) {
    const { view, model, shuffles } = current;
    const turn = asking += 1;
    const isChosen = (picture) => state.same(choiceOf(view, picture), view ? current.choices[view] : current.source);
    grid.mark(isChosen);
    grid.wait();
    try {
      const parts = state.around(view);
      const asked = { step: view + 1, model, shuffle: shuffles[view], then: parts.then };
      if (view) asked.script = parts.script;
      const pictures = await offered(asked);
      if (turn !== asking) return;
      grid.show(pictures, (picture) => choose(view, picture));
      grid.mark(isChosen);
      say(`Sixteen choices for ${about().steps[view].title} are there`);
    } catch (error) { complain(error); }
  }

  return {
    show(current) {
      if (shownView !== current.view) build(current.view);
      const number = current.shuffles[current.view];
      counter.textContent = number ? `Shuffled ${number === 1 ? "once" : `${number} times`}` : "";
      earlier.disabled = !number;
      byId("next").disabled = !current.source;
      fill(current);
    },
    leave() { shownView = -1; asking += 1; },
  };
}
