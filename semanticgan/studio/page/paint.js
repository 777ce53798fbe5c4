// The tools on the face: select regions, paint the mask of one, or drag its outline.
//
// A painting is followed by the server, which takes seconds; it comes back as one operation of the edit.

import * as api from "./api.js";
import { byId, complain, element, say, words } from "./elements.js";
import * as face from "./face.js";
import { makeProgress } from "./progress.js";
import { makeSlider } from "./slider.js";
import * as state from "./state.js";

const STEP = 0.02; // of the arrow keys, in sides of the picture
const HINTS = {
  select: "Click a region; hold Shift for several.",
  paint: "Paint where the selected region shall be, then apply. By keyboard: arrows move, Space paints.",
  drag: "Drag the outline of the selected region. By keyboard: arrows move, Space takes and drops.",
};
const DRAGGED = 0.12; // standard deviation of the pull, in sides

const clamp = (value) => Math.min(Math.max(value, 0), 1);

function toBase64(bytes) {
  let text = "";
  for (let from = 0; from < bytes.length; from += 0x8000) text += String.fromCharCode(...bytes.subarray(from, from + 0x8000));
  return btoa(text);
}

// put(operation) adds what was found to the edit.
export function makeTools(about, put) {
  let kind = "select";
  let painting = null; // the labels as they are painted; null while nothing is
  let of = null; // the segmentation that was painted on
  let cursor = null;
  let pull = null; // [from, to] of a drag
  let busy = false;
  const buttons = new Map(Object.keys(HINTS).map((name) => [name, element(
    "button", { type: "button", "aria-pressed": String(name === kind), onclick: () => choose(name) }, name[0].toUpperCase() + name.slice(1))]));
  const hint = element("p", { class: "hint", id: "tool-hint" });
  const brush = makeSlider({ label: "Brush", low: 0.01, high: 0.2, step: 0.01, still: 0.06 }, () => face.draw(), () => face.draw());
  const erase = element("input", { type: "checkbox", id: "erase" });
  const apply = element("button", { type: "button", id: "apply-painting", class: "primary", onclick: () => follow({ labels: toBase64(painting) }) }, "Apply painting");
  const clear = element("button", { type: "button", onclick: () => { forget(); show(); } }, "Clear");
  const progress = makeProgress("Progress of the painting");
  const painted = element("div", { class: "painted", hidden: true }, brush.root,
    element("div", { class: "bar" }, element("label", { class: "check", for: "erase" }, erase, "Erase"), apply, clear));
  const root = element("section", { class: "tools", "aria-label": "Tools" },
    element("div", { class: "bar", role: "group", "aria-label": "Tool" }, [...buttons.values()]), hint, painted, progress.root);

  function forget() { painting = pull = of = null; face.draw(); }

  function choose(name) {
    kind = name;
    forget();
    face.useTool(kind === "select" ? null : tool);
    const stage = byId("stage");
    if (kind === "select") stage.removeAttribute("tabindex");
    else stage.setAttribute("tabindex", "0");
    show();
  }

  // The one region that is painted or dragged; null, and a sentence that says why, where there is none.
  function target() {
    const [name, ...more] = face.selection();
    const placed = state.now().edits.some((one) => "place" in one);
    const wrong = busy ? "Wait until the painting is followed, or cancel it."
      : !name || more.length ? "Select one region first: by the tool Select, or by its name in the list."
        : state.now().locked.includes(name) ? `${words(name)} is locked. Unlock it, or select another region.`
          : placed ? "Reset move, size and turn first: a painting comes before them." : "";
    if (wrong) complain(new Error(wrong));
    return wrong ? null : name;
  }

  function dab([x, y]) {
    const name = target();
    const seen = face.segmentation();
    if (!name || !seen) return false;
    if (of !== seen.labels) { of = seen.labels; painting = seen.labels.slice(); }
    const { size } = seen;
    const radius = Math.max(brush.value() * size, 0.6);
    const label = face.regionNames().indexOf(name);
    for (let row = Math.max(Math.floor(y * size - radius), 0); row < Math.min(y * size + radius, size); row += 1) {
      for (let column = Math.max(Math.floor(x * size - radius), 0); column < Math.min(x * size + radius, size); column += 1) {
        if (Math.hypot(column + 0.5 - x * size, row + 0.5 - y * size) > radius) continue;
        const index = row * size + column;
        painting[index] = erase.checked ? of[index] : label;
      }
    }
    return true;
  }

  function line(from, to) {
    const steps = Math.max(Math.ceil(Math.hypot(to[0] - from[0], to[1] - from[1]) / (brush.value() / 2)), 1);
    for (let step = 1; step <= steps; step += 1) {
      if (!dab([0, 1].map((axis) => from[axis] + (to[axis] - from[axis]) * (step / steps)))) return;
    }
  }

  function drop() {
    const [from, to] = pull.map((point) => point.map(clamp));
    const region = target();
    const far = Math.hypot(to[0] - from[0], to[1] - from[1]);
    if (!region || far < 0.01) { pull = null; face.draw(); return; }
    follow({ drag: { region, from, to, radius: DRAGGED } });
  }

  async function follow(wish) {
    const before = state.now();
    busy = true;
    show();
    try {
      const body = { model: before.model, script: state.script(), locked: before.locked, ...wish };
      const { id } = await api.post("painting", "/api/paintings", body);
      const told = await progress.follow(`/api/paintings/${id}`);
      if (state.now().source !== before.source || state.now().model !== before.model) {
        throw new Error("Another face was chosen while the painting was followed. Paint on that one.");
      }
      forget();
      put(told.operation);
      say(`The painting is followed. Overlap ${Math.round(100 * told.figures.iou)} percent.`);
    } catch (error) { complain(error); pull = null; } finally { busy = false; show(); }
  }

  const tool = {
    labels: () => painting,
    down(place) {
      cursor = place;
      if (kind === "paint") { dab(place); show(); } else if (target()) pull = [place, place];
      face.draw();
    },
    move(place, pressed) {
      if (pressed && kind === "paint" && painting) line(cursor, place);
      if (pressed && pull && !busy) pull = [pull[0], place];
      cursor = place;
      face.draw();
    },
    up() { if (kind === "drag" && pull && !busy) drop(); },
    leave() { if (!pull && document.activeElement !== byId("stage")) { cursor = null; face.draw(); } },
    key(event) {
      const way = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] }[event.key];
      cursor ??= [0.5, 0.5];
      if (way) {
        cursor = cursor.map((value, axis) => clamp(value + STEP * way[axis]));
        if (pull && !busy) pull = [pull[0], cursor];
        say(words(face.regionAtPlace(cursor) ?? "outside"));
      } else if (event.key === " " && kind === "paint") { dab(cursor); show(); }
      else if (event.key === " " && pull && !busy) drop();
      else if (event.key === " ") { if (target()) pull = [cursor, cursor]; }
      else if (event.key === "Escape") forget();
      else return false;
      face.draw();
      return true;
    },
    draw(context, side) {
      const ring = (point, radius) => {
        context.beginPath();
        context.arc(point[0] * side, point[1] * side, Math.max(radius, 3), 0, 2 * Math.PI);
        context.stroke();
      };
      for (const [colour, width] of [["#1d2a2b", 5], ["#ffffff", 2]]) {
        context.strokeStyle = colour;
        context.lineWidth = width;
        if (cursor) ring(cursor, kind === "paint" ? brush.value() * side : 6);
        if (!pull) continue;
        ring(pull[0], 6);
        context.beginPath();
        context.moveTo(pull[0][0] * side, pull[0][1] * side);
        context.lineTo(pull[1][0] * side, pull[1][1] * side);
        context.stroke();
        ring(pull[1], 9);
      }
    },
  };

  function show() {
    if (painting && of !== face.segmentation()?.labels) forget();
    buttons.forEach((button, name) => button.setAttribute("aria-pressed", String(name === kind)));
    hint.textContent = HINTS[kind];
    painted.hidden = kind !== "paint";
    const changed = painting?.some((label, index) => label !== of[index]) ?? false;
    apply.disabled = clear.disabled = !changed || busy;
    byId("stage").setAttribute("aria-label", kind === "select" ? "The chosen face" : `The chosen face: ${kind}`);
  }

  return { root, show, leave() { choose("select"); } };
}
