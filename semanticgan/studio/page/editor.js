// The editor: regions selected, locked, varied, taken from elsewhere, painted, moved; attributes. Of a layered model, layers
// in place of regions; what needs a segmentation (the tools on the face, motions, the composite) is left out.

import * as api from "./api.js";
import { byId, complain, element, say, words } from "./elements.js";
import * as face from "./face.js";
import { makeGrid } from "./grid.js";
import { makeLayers } from "./layers.js";
import * as operations from "./operations.js";
import { makeTools } from "./paint.js";
import { layersText, listed, mixWith } from "./parts.js";
import { photographBox } from "./photograph.js";
import { makeSlider } from "./slider.js";
import * as state from "./state.js";

const WHAT = [["both", "Both"], ["structure", "Shape"], ["texture", "Colour"]];
const PLACE = [
  ["right", "Right", -0.2, 0.2, 0.01, 0], ["down", "Down", -0.2, 0.2, 0.01, 0],
  ["scale", "Size", 0.4, 1.6, 0.02, 1], ["rotate", "Turn", -45, 45, 1, 0],
];
const OWN = { structure: "Shape", texture: "Colour", both: "Direction" };
const TRUNCATION = 0.8;
const OF_REGIONS = {
  hint: "Change one region and leave the rest alone.",
  select: "Select a region that is not locked first: click it on the face, or its name in the list.",
  vary: "Select a region to see sixteen variations of it.",
  locked: "The selected region is locked. Unlock it to see variations.",
  own: "Select one region to move it along its own directions.",
  ownTitle: "Shape and colour",
  photograph: "Take a region from a photograph",
  drop: "Select the region, then drop a PNG, JPEG or WebP here, or choose one.",
};
const OF_LAYERS = {
  hint: "Change some layers and leave the others alone.",
  select: "Select layers that are not locked first, in the list.",
  vary: "Select layers to see sixteen variations of them.",
  locked: "The selected layers are locked. Unlock them to see variations.",
  own: "Select layers to move them along their own directions.",
  ownTitle: "Directions",
  photograph: "Take layers from a photograph",
  drop: "Select the layers, then drop a PNG, JPEG or WebP here, or choose one.",
};

const put = (edits) => state.change({ edits: operations.placeLast(edits) });
const preview = (edits) => face.update(state.script(operations.placeLast(edits)), true);
const card = (id, title, ...content) => element("section", { class: "card", "aria-labelledby": id }, element("h2", { id }, title), ...content);

export function editorPanel(about) {
  const panel = byId("panel");
  const own = new Map(); // directions of the rows of a region or of layers, by model and name
  let built = false;
  let chips = new Map();
  let moves = new Map();
  let places = new Map();
  let ownOf = "";
  let parts = {};
  let text = OF_REGIONS;
  let what = "both";
  let asked = "";

  function lock() {
    const { locked } = state.now();
    const chosen = face.selection();
    const all = chosen.every((name) => locked.includes(name));
    const others = locked.filter((name) => !chosen.includes(name));
    state.change({ locked: all ? others : [...others, ...chosen] });
  }

  const layered = () => !about().regions.length;

  function layersCard() {
    parts.layers = makeLayers(about());
    parts.lock = element("button", { type: "button", id: "lock", onclick: lock }, "Lock");
    return card("layers-title", "Layers",
      element("p", { class: "hint" }, "A name selects its group, a layer is added or taken away. Coarse layers hold pose and shape, fine ones colours. Nothing changes a locked layer."),
      parts.layers.root, element("div", { class: "bar" }, parts.lock));
  }

  function regionsCard() {
    chips = new Map(about().regions.map((name) => [name, element("button", {
      type: "button", class: "chip", "aria-pressed": "false",
      onclick: (event) => face.select(name, event.shiftKey),
      onpointerenter: () => face.hover(name), onpointerleave: () => face.hover(null),
      onfocus: () => face.hover(name), onblur: () => face.hover(null),
    }, words(name))]));
    parts.lock = element("button", { type: "button", id: "lock", onclick: lock }, "Lock");
    parts.composite = element("input", {
      type: "checkbox", id: "composite", onchange: (event) => state.change({ composite: event.target.checked }),
    });
    parts.kept = element("span", { class: "hint", id: "kept" });
    return card("regions-title", "Regions",
      element("p", { class: "hint" }, "Click the face or a name; hold Shift for several. Dashed names are not seen. Nothing changes a locked region."),
      element("div", { class: "chips" }, [...chips.values()]),
      element("div", { class: "bar" }, parts.lock,
        element("label", { class: "check", for: "composite" }, parts.composite, "Keep all other pixels (composite)"), parts.kept));
  }

  function take(source) {
    const names = face.free();
    if (!names.length) { complain(new Error(text.select)); return; }
    put(operations.withMix(state.now().edits, { ...mixWith(source, names), what }));
  }

  function takeFromSeed(event) {
    event.preventDefault();
    const seed = Number(parts.seed.value);
    if (!parts.seed.value || !Number.isSafeInteger(seed) || seed < 0) complain(new Error("A seed is a whole number from 0 on. Type another one."));
    else take({ seed, truncation: TRUNCATION });
  }

  function variationsCard() {
    parts.grid = makeGrid("Sixteen variations", "Variation");
    parts.none = element("p", { class: "hint" });
    const choices = WHAT.map(([value, text]) => element("label", { class: "check" },
      element("input", {
        type: "radio", name: "what", value, checked: value === what,
        onchange: () => { what = value; show(state.now()); },
      }), text));
    const shuffle = element("button", { type: "button", onclick: () => {
      const { shuffles } = state.now();
      state.change({ shuffles: shuffles.map((old, index) => (index === 4 ? old + 1 : old)) });
    } }, "Shuffle");
    const weighted = (weight) => {
      const { edits } = state.now();
      return operations.withWeight(edits, operations.mixOf(edits, face.free(), what), weight);
    };
    parts.weight = makeSlider({ label: "Strength", low: 0, high: 1.5, step: 0.05, still: 1 },
      (weight) => preview(weighted(weight)), (weight) => put(weighted(weight)));
    parts.seed = element("input", { type: "number", id: "seed", min: 0, step: 1, value: 8, inputmode: "numeric" });
    const from = element("form", { class: "bar", novalidate: true, onsubmit: takeFromSeed },
      element("label", { for: "seed" }, "Take from seed"), parts.seed, parts.take = element("button", {}, "Take"));
    const radios = layered() ? null : element("div", { class: "bar radios", role: "group", "aria-label": "What varies" }, choices);
    parts.choices = element("div", { class: "bar" }, radios, shuffle);
    const made = card("variations-title", "Variations", parts.none, parts.choices, parts.grid.root, parts.weight.root, from);
    parts.title = made.firstChild;
    return made;
  }

  function placeCard() {
    const values = () => Object.fromEntries([...places].map(([name, slider]) => [name, slider.value()]));
    const edits = () => operations.withPlace(state.now().edits, face.free(), values());
    places = new Map(PLACE.map(([name, label, low, high, step, still]) => [name, makeSlider(
      { label, low, high, step, still }, () => preview(edits()), () => put(edits()))]));
    parts.placeHint = element("p", { class: "hint" });
    return card("place-title", "Move, size, turn", parts.placeHint,
      element("div", { class: "sliders" }, [...places.values()].map((slider) => slider.root)));
  }

  function moveSlider(direction, label, most) {
    const edits = (strength) => operations.withMove(state.now().edits, direction, strength, state.now().locked);
    const slider = makeSlider({ label, low: -most, high: most, step: 0.1, still: 0 },
      (strength) => preview(edits(strength)), (strength) => put(edits(strength)));
    return { ...slider, direction };
  }

  function attributesCard() {
    moves = new Map(about().directions.map((direction) => [direction.name, moveSlider(direction, words(direction.name), 4)]));
    const hint = moves.size
      ? "In standard deviations of the model's faces; 0 leaves the face as it is. One that changes the whole picture is off while a region is locked."
      : "This model has no attributes yet. semanticgan find-directions makes some.";
    return card("attributes-title", "Attributes", element("p", { class: "hint" }, hint),
      element("div", { class: "sliders" }, [...moves.values()].map((slider) => slider.root)));
  }

  function ownCard() {
    parts.ownHint = element("p", { class: "hint" });
    parts.own = element("div", { class: "sliders", id: "own" });
    return card("own-title", text.ownTitle, parts.ownHint, parts.own);
  }

  function build() {
    parts = {};
    chips = new Map();
    places = new Map();
    text = layered() ? OF_LAYERS : OF_REGIONS;
    if (layered()) what = "both";
    else {
      parts.tools = makeTools(about, (operation) => put([...state.now().edits, operation]));
      byId("tools").replaceChildren(parts.tools.root);
    }
    panel.classList.remove("design");
    panel.replaceChildren(
      element("div", { class: "heading" },
        element("div", {}, element("h1", { id: "panel-title" }, "Editor"),
          element("p", { class: "hint" }, text.hint)),
        element("div", { class: "bar" }, parts.reset = element("button", { type: "button", onclick: () => put([]) }, "Undo all edits"))),
      element("div", { class: "cards" },
        element("div", {}, layered() ? layersCard() : regionsCard(), variationsCard(), photographBox({
          about, title: text.photograph, hint: text.drop, done: ({ source }) => take(source),
        })),
        element("div", {}, ownCard(), layered() ? null : placeCard(), attributesCard())));
    built = true;
    asked = ownOf = "";
  }

  async function vary(current) {
    const names = face.free();
    const usable = names.length > 0 && current.source !== null;
    parts.grid.root.hidden = parts.choices.hidden = !usable;
    parts.none.hidden = usable;
    parts.none.textContent = face.selection().length ? text.locked : text.vary;
    parts.take.disabled = !usable;
    parts.title.textContent = usable ? `Variations of ${listed(names)}` : "Variations";
    const mix = operations.mixOf(current.edits, names, what);
    parts.weight.set(mix?.weight ?? 1);
    parts.weight.enable(Boolean(mix));
    if (!usable) { asked = ""; return; }
    const script = state.script(current.edits.filter((one) => !("place" in one) && one !== mix));
    const chosen = layered() ? { layers: layersText(names) } : { regions: names, what };
    const body = { model: current.model, script, ...chosen, shuffle: current.shuffles[4], locked: current.locked };
    const mark = () => parts.grid.mark((picture) => state.now().edits.some((one) => operations.sameMix(one, picture.script.operations.at(-1))));
    mark();
    const key = JSON.stringify(body);
    if (key === asked) return;
    asked = key;
    parts.grid.wait();
    try {
      const { pictures } = await api.post("offer", "/api/variations", body);
      if (key !== asked) return;
      parts.grid.show(pictures, (picture) => put(operations.withMix(state.now().edits, picture.script.operations.at(-1))));
      mark();
      say(`Sixteen variations of ${listed(names)} are there`);
    } catch (error) {
      if (key === asked) asked = "";
      complain(error);
    }
  }

  // Sliders along the directions of the rows of the one selected region, or of the selected layers.
  async function showOwn(current) {
    const names = face.free();
    const usable = current.source && (layered() ? names.length > 0 : names.length === 1);
    const key = usable ? `${current.model}/${listed(names)}` : "";
    parts.ownHint.textContent = usable ? `What changes ${listed(names)} most, in standard deviations.` : text.own;
    if (key !== ownOf) {
      ownOf = key;
      parts.ownSliders = [];
      parts.own.replaceChildren();
      if (!usable) return;
      try {
        const chosen = layered() ? { layers: layersText(names) } : { region: names[0] };
        if (!own.has(key)) own.set(key, (await api.post("own", "/api/directions", { model: current.model, ...chosen })).directions);
        if (key !== ownOf) return;
        const counts = { structure: 0, texture: 0, both: 0 };
        parts.ownSliders = own.get(key).map((one) => moveSlider(
          { ...one, regions: names, moves_base: false }, `${OWN[one.what]} ${counts[one.what] += 1}`, 3));
        parts.own.replaceChildren(...parts.ownSliders.map((slider) => slider.root));
      } catch (error) { if (key === ownOf) ownOf = ""; complain(error); return; }
    }
    (parts.ownSliders ?? []).forEach((slider) => slider.set(operations.strengthOf(state.now().edits, slider.direction, [])));
  }

  // The composite, motions and the tools on the face.
  function showOfRegions(current, free) {
    parts.composite.checked = current.composite;
    const whole = current.composite && current.edits.length && face.present()?.composited === false;
    parts.kept.textContent = whole ? "An edit here changes the whole picture, so nothing is kept." : "";
    const placed = current.edits.find((one) => "place" in one);
    const there = placed && operations.sameParts(placed, free) ? placed.place : { shift: [0, 0], scale: 1, rotate: 0 };
    const values = { right: there.shift[0], down: there.shift[1], scale: there.scale, rotate: there.rotate };
    places.forEach((slider, name) => { slider.set(values[name]); slider.enable(free.length > 0 && current.source !== null); });
    parts.placeHint.textContent = free.length
      ? `Moves ${listed(free)}; a motion of other regions is replaced.` : "Select a region that is seen and not locked.";
    parts.tools.show();
  }

  function show(current) {
    if (!built) build();
    const chosen = face.selection();
    const free = face.free();
    const { locked } = current;
    chips.forEach((chip, name) => {
      chip.setAttribute("aria-pressed", String(chosen.includes(name)));
      chip.classList.toggle("unseen-region", !face.isSeen(name));
      chip.classList.toggle("locked", locked.includes(name));
      if (locked.includes(name)) chip.setAttribute("aria-label", `${words(name)}, locked`);
      else chip.removeAttribute("aria-label");
    });
    parts.lock.disabled = !chosen.length;
    parts.lock.textContent = chosen.length && chosen.every((name) => locked.includes(name)) ? "Unlock" : "Lock";
    parts.layers?.show();
    if (!layered()) showOfRegions(current, free);
    moves.forEach((slider) => {
      slider.set(operations.strengthOf(current.edits, slider.direction, locked));
      slider.enable(current.source !== null && operations.movable(slider.direction, locked).length > 0);
    });
    parts.reset.disabled = !current.edits.length;
    vary(current);
    showOwn(current);
  }

  return {
    show,
    leave() { built = false; parts.tools?.leave(); byId("tools").replaceChildren(); },
  };
}
