// The four steps.

import * as api from "./api.js";
import { byId, complain, element, say } from "./elements.js";
import * as face from "./face.js";
import { makeGrid } from "./grid.js";
import { listed } from "./parts.js";
import { photographBox } from "./photograph.js";
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
  const held = state.held(view);
  const choice = view ? [...held, choiceOf(view, picture)] : held;
  face.showPicture(picture.picture);
  const changed = { choices: choices.map((old, index) => (index === view ? choice : old)) };
  state.change(view ? changed : { ...changed, source: choiceOf(view, picture), photograph: null });
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
  let locks = null;
  let asking = 0;

  function begin({ source, picture, id }) {
    face.showPicture(picture);
    state.change({ source, choices: [[], [], [], []], edits: [], photograph: id, locked: [], view: 4 });
  }

  function build(view) {
    const { title, hint } = about().steps[view];
    grid = makeGrid(`Sixteen choices: ${title}`, title);
    counter = element("span", { class: "counter" });
    earlier = element("button", { type: "button", onclick: () => shuffle(view, -1) }, "Earlier");
    const next = view + 1 < about().steps.length
      ? element("button", { type: "button", class: "primary", onclick: () => state.change({ view: view + 1 }) },
        `Next: ${about().steps[view + 1].title}`)
      : element("button", { type: "button", class: "primary", onclick: () => state.change({ view: 4 }) }, "Next: Editor");
    next.id = "next";
    locks = element("p", { class: "locks", hidden: true }, element("span"), element(
      "button", { type: "button", onclick: () => state.change({ locked: [] }) }, "Unlock all"));
    panel.classList.add("design");
    panel.replaceChildren(
      element("div", { class: "heading" },
        element("div", {}, element("h1", { id: "panel-title" }, title), element("p", { class: "hint" }, hint)),
        element("div", { class: "bar" },
          earlier,
          element("button", { type: "button", id: "shuffle", onclick: () => shuffle(view, 1) }, "Shuffle"),
          next)),
      locks,
      grid.root,
      counter,
      ...(view ? [] : [photographBox({
        about, title: "Or begin with a photograph", done: begin,
        hint: "Drop a PNG, JPEG or WebP here, or choose one. It stays on this computer and is gone after an hour.",
      })]),
    );
    shownView = view;
  }

  async function fill(current) {
    const { view, model, shuffles } = current;
    const turn = asking += 1;
    const isChosen = (picture) => state.same(choiceOf(view, picture), view ? current.choices[view].at(-1) : current.source);
    grid.mark(isChosen);
    grid.wait();
    try {
      const parts = state.around(view);
      const asked = { step: view + 1, model, shuffle: shuffles[view], then: parts.then, locked: current.locked };
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
      locks.hidden = !current.locked.length;
      locks.firstChild.textContent = `Locked, and left as they are: ${listed(current.locked)}. `;
      byId("next").disabled = !current.source;
      fill(current);
    },
    leave() { shownView = -1; asking += 1; },
  };
}
