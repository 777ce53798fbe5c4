// The editor: regions selected, varied, taken from a seed, moved; attributes.

import * as api from "./api.js";
import { byId, complain, element, say, words } from "./elements.js";
import * as face from "./face.js";
import { makeGrid } from "./grid.js";
import { makeSlider } from "./slider.js";
import * as state from "./state.js";

const WHAT = [["both", "Shape and colour"], ["structure", "Shape"], ["texture", "Colour"]];
const PLACE = [
  ["right", "Right", -0.2, 0.2, 0.01, 0], ["down", "Down", -0.2, 0.2, 0.01, 0],
  ["scale", "Size", 0.4, 1.6, 0.02, 1], ["rotate", "Turn", -45, 45, 1, 0],
];
const TRUNCATION = 0.8;

const isMix = (one) => "source" in one;
const sameRegions = (one, names) => state.same([...one.regions].sort(), [...names].sort());
const listed = () => face.selection().map(words).join(", ");

// A choice for regions replaces an earlier one for the same.
function withMix(edits, operation) {
  const others = edits.filter((one) => !(isMix(one) && sameRegions(one, operation.regions) && one.what === operation.what));
  return [...others, operation];
}

function withMove(edits, name, strength) {
  const others = edits.filter((one) => one.move !== name);
  return strength ? [...others, { move: name, strength, regions: [], layers: "" }] : others;
}

// An edit moves regions in one operation, which comes last.
function withPlace(edits, regions, values) {
  const others = edits.filter((one) => !("place" in one));
  const still = !values.right && !values.down && values.scale === 1 && !values.rotate;
  const place = { shift: [values.right, values.down], scale: values.scale, rotate: values.rotate };
  return still || !regions.length ? others : [...others, { place, regions }];
}

const placeLast = (edits) => [...edits.filter((one) => !("place" in one)), ...edits.filter((one) => "place" in one)];
const put = (edits) => state.change({ edits: placeLast(edits) });
const preview = (edits) => face.update(state.script(placeLast(edits)), true);

export function editorPanel(about) {
  const panel = byId("panel");
  let built = false;
  let chips = new Map();
  let moves = new Map();
  let places = new Map();
  let parts = {};
  let what = "both";
  let asked = "";

  function regionsCard() {
    chips = new Map(about().regions.map((name) => [name, element("button", {
      type: "button", class: "chip", "aria-pressed": "false",
      onclick: (event) => face.select(name, event.shiftKey),
      onpointerenter: () => face.hover(name), onpointerleave: () => face.hover(null),
      onfocus: () => face.hover(name), onblur: () => face.hover(null),
    }, words(name))]));
    return element("section", { class: "card", "aria-labelledby": "regions-title" },
      element("h2", { id: "regions-title" }, "Regions"),
      element("p", { class: "hint" }, "Click the face or a name; hold Shift for several. Dashed names are not seen in this picture."),
      element("div", { class: "chips" }, [...chips.values()]));
  }

  function variationsCard() {
    parts.grid = makeGrid("Sixteen variations", "Variation");
    parts.title = element("h2", { id: "variations-title" }, "Variations");
    parts.none = element("p", { class: "hint" }, "Select a region to see sixteen variations of it.");
    const choices = WHAT.map(([value, text]) => element("label", { class: "check" },
      element("input", {
        type: "radio", name: "what", value, checked: value === what,
        onchange: () => { what = value; show(state.now()); },
      }), text));
    parts.shuffle = element("button", { type: "button", onclick: () => {
      const { shuffles } = state.now();
      state.change({ shuffles: shuffles.map((old, index) => (index === 4 ? old + 1 : old)) });
    } }, "Shuffle");
    parts.seed = element("input", { type: "number", id: "seed", min: 0, step: 1, value: 8, inputmode: "numeric" });
    const take = element("form", { class: "bar", onsubmit: takeFromSeed },
      element("label", { for: "seed" }, "Take from seed"), parts.seed, parts.take = element("button", {}, "Take"));
    parts.choices = element("div", { class: "bar" }, element("div", { class: "bar radios", role: "group", "aria-label": "What varies" }, choices), parts.shuffle);
    return element("section", { class: "card", "aria-labelledby": "variations-title" },
      parts.title, parts.none, parts.choices, parts.grid.root, take);
  }

  function takeFromSeed(event) {
    event.preventDefault();
    const seed = Number(parts.seed.value);
    if (!Number.isSafeInteger(seed) || seed < 0) { complain(new Error("A seed is a whole number from 0 on.")); return; }
    if (!face.selection().length) { complain(new Error("Select a region first: click it on the face.")); return; }
    const source = { seed, truncation: TRUNCATION };
    put(withMix(state.now().edits, { source, regions: face.selection(), what, include_base: false, weight: 1 }));
  }

  function placeCard() {
    const values = () => Object.fromEntries([...places].map(([name, slider]) => [name, slider.value()]));
    const edits = () => withPlace(state.now().edits, face.selection(), values());
    places = new Map(PLACE.map(([name, label, low, high, step, still]) => [name, makeSlider(
      { label, low, high, step, still }, () => preview(edits()), () => put(edits()))]));
    parts.placeHint = element("p", { class: "hint" });
    return element("section", { class: "card", "aria-labelledby": "place-title" },
      element("h2", { id: "place-title" }, "Move, size, turn"), parts.placeHint,
      element("div", { class: "sliders" }, [...places.values()].map((slider) => slider.root)));
  }

  function attributesCard() {
    moves = new Map(about().directions.map(({ name }) => [name, makeSlider(
      { label: words(name), low: -4, high: 4, step: 0.1, still: 0 },
      (strength) => preview(withMove(state.now().edits, name, strength)),
      (strength) => put(withMove(state.now().edits, name, strength)))]));
    const hint = moves.size
      ? "In standard deviations of the model's faces; 0 leaves the face as it is."
      : "This model has no attributes yet. semanticgan find-directions makes some.";
    return element("section", { class: "card", "aria-labelledby": "attributes-title" },
      element("h2", { id: "attributes-title" }, "Attributes"), element("p", { class: "hint" }, hint),
      element("div", { class: "sliders" }, [...moves.values()].map((slider) => slider.root)));
  }

  function build() {
    panel.classList.remove("design");
    panel.replaceChildren(
      element("div", { class: "heading" },
        element("div", {}, element("h1", { id: "panel-title" }, "Editor"),
          element("p", { class: "hint" }, "Change one region and leave the rest alone.")),
        element("div", { class: "bar" }, parts.reset = element("button", { type: "button", onclick: () => put([]) }, "Undo all edits"))),
      element("div", { class: "cards" },
        element("div", {}, regionsCard(), variationsCard()),
        element("div", {}, placeCard(), attributesCard())));
    built = true;
    asked = "";
  }

  async function vary(current) {
    const regions = face.selection();
    const usable = regions.length > 0 && current.source !== null;
    parts.grid.root.hidden = parts.choices.hidden = !usable;
    parts.none.hidden = usable;
    parts.take.disabled = !usable;
    parts.title.textContent = usable ? `Variations of ${listed()}` : "Variations";
    if (!usable) { asked = ""; return; }
    const isOwn = (one) => "place" in one || (isMix(one) && sameRegions(one, regions) && one.what === what);
    const script = state.script(current.edits.filter((one) => !isOwn(one)));
    const body = { model: current.model, script, regions, what, shuffle: current.shuffles[4] };
    const mark = () => parts.grid.mark((picture) => state.now().edits.some((one) => state.same(one, picture.script.operations.at(-1))));
    mark();
    const key = JSON.stringify(body);
    if (key === asked) return;
    asked = key;
    parts.grid.wait();
    try {
      const { pictures } = await api.post("offer", "/api/variations", body);
      if (key !== asked) return;
      parts.grid.show(pictures, (picture) => put(withMix(state.now().edits, picture.script.operations.at(-1))));
      mark();
      say(`Sixteen variations of ${listed()} are there`);
    } catch (error) {
      if (key === asked) asked = "";
      complain(error);
    }
  }

  function show(current) {
    if (!built) build();
    const chosen = face.selection();
    chips.forEach((chip, name) => {
      chip.setAttribute("aria-pressed", String(chosen.includes(name)));
      chip.classList.toggle("unseen-region", !face.isSeen(name));
    });
    moves.forEach((slider, name) => slider.set(current.edits.find((one) => one.move === name)?.strength ?? 0));
    const placed = current.edits.find((one) => "place" in one);
    const own = placed && sameRegions(placed, chosen) ? placed.place : { shift: [0, 0], scale: 1, rotate: 0 };
    const values = { right: own.shift[0], down: own.shift[1], scale: own.scale, rotate: own.rotate };
    places.forEach((slider, name) => { slider.set(values[name]); slider.enable(chosen.length > 0 && current.source !== null); });
    parts.placeHint.textContent = chosen.length
      ? `Moves ${listed()}; a motion of other regions is replaced.` : "Select a region that is seen.";
    parts.reset.disabled = !current.edits.length;
    vary(current);
  }

  return { show, leave() { built = false; } };
}
