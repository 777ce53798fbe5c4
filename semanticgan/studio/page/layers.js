// The list of a layered model's layers: by the step that varies them, each with the side of the maps that it styles.

import { element } from "./elements.js";
import * as face from "./face.js";
import { numberOf } from "./parts.js";
import * as state from "./state.js";

// The groups of layers as elements; show() marks what is selected and locked.
export function makeLayers({ layers, groups }) {
  const chips = new Map(layers.map(({ name, side }) => [name, element("button", {
    type: "button", class: "chip", "aria-pressed": "false", onclick: () => face.select(name, true),
  }, `${numberOf(name)} · ${side} px`)]));
  const named = groups.map(({ title, layers: numbers }) => {
    const names = numbers.map((number) => layers[number].name);
    const button = element("button", {
      type: "button", class: "chip group-name", "aria-pressed": "false", onclick: () => face.selectAll(names),
    }, title);
    const root = element("div", { class: "group", role: "group", "aria-label": title },
      button, element("div", { class: "chips" }, names.map((name) => chips.get(name))));
    return { names, button, root };
  });
  const all = named.sort((one, other) => numberOf(one.names[0]) - numberOf(other.names[0]));

  return {
    root: element("div", { class: "groups" }, all.map(({ root }) => root)),
    show() {
      const chosen = face.selection();
      const { locked } = state.now();
      chips.forEach((chip, name) => {
        const isLocked = locked.includes(name);
        chip.setAttribute("aria-pressed", String(chosen.includes(name)));
        chip.classList.toggle("locked", isLocked);
        const { side } = layers.find((one) => one.name === name);
        chip.setAttribute("aria-label", `layer ${numberOf(name)}, ${side} pixels${isLocked ? ", locked" : ""}`);
      });
      all.forEach(({ names, button }) => button.setAttribute("aria-pressed", String(state.same(names, chosen))));
    },
  };
}
