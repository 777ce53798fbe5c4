// The chosen face: its picture, and the regions under the pointer and selected, drawn over it.

import * as api from "./api.js";
import { byId, complain, png, say, words } from "./elements.js";
import { listed } from "./parts.js";
import * as state from "./state.js";

const HOVERED = [255, 255, 255, 120];
const SELECTED = [20, 170, 155, 150];
const PAINTED = [230, 120, 20, 190];
const MOST_KEPT = 24;

let result = null; // the server's answer to the present script
let labels = null; // the label of each pixel; null of a layered model
let size = 1;
let shownScript = "";
let regions = []; // names, by label; of a layered model those of its layers
let hovered = null;
let selected = new Set();
let onSelect = () => {};
let interactive = false;
let tool = null; // of paint.js; null while regions are selected
const kept = new Map(); // answers by what was asked; the newest only, so that going back shows the same picture at once

export const present = () => result;
export const isSeen = (name) => !labels || result.seen.includes(name);
export const selection = () => regions.filter((name) => selected.has(name));
export const free = () => selection().filter((name) => !state.now().locked.includes(name));
export const regionNames = () => regions;
export const segmentation = () => labels && { labels, size };

export function useRegions(names, listener) {
  regions = names;
  onSelect = listener;
  selected = new Set([...selected].filter((name) => names.includes(name)));
}

export function setInteractive(value) {
  interactive = value;
  byId("stage").classList.toggle("editing", value);
  if (!value) hovered = null;
  draw();
}

export function useTool(given) {
  tool = given;
  hovered = null;
  byId("stage").classList.toggle("tooled", tool !== null);
  draw();
}

export function hover(name) { if (name !== hovered) { hovered = name; draw(); } }

export function select(name, several) {
  if (several) selected.has(name) ? selected.delete(name) : selected.add(name);
  else selected = new Set(selected.size === 1 && selected.has(name) ? [] : [name]);
  tellSelection();
}

// Select these alone; where they are, nothing.
export function selectAll(names) {
  selected = new Set(state.same(selection(), names) ? [] : names);
  tellSelection();
}

function tellSelection() {
  const names = selection();
  say(names.length ? `Selected: ${listed(names)}` : "Nothing selected");
  draw();
  onSelect();
}

// Show a picture at once, before its segmentation is known.
export function showPicture(base64) {
  const image = byId("face");
  image.src = png(base64);
  image.hidden = false;
  byId("empty").hidden = true;
  delete byId("stage").dataset.empty;
}

export function clear() {
  result = labels = null;
  shownScript = "";
  byId("face").hidden = true;
  byId("empty").hidden = false;
  byId("stage").dataset.empty = "";
  draw();
}

export function body(script = state.script()) {
  const { model, composite } = state.now();
  return composite ? { model, script, composite_after: Math.min(state.numChoices(), script.operations.length) } : { model, script };
}

async function answerTo(asked, key, preview) {
  if (kept.has(key)) { api.giveUp("edit"); return kept.get(key); }
  const answer = await api.post("edit", "/api/edit", asked);
  if (!preview) kept.set(key, answer);
  if (kept.size > MOST_KEPT) kept.delete(kept.keys().next().value);
  return answer;
}

// Render the present script, or one that is not in the history yet (while a slider moves).
export async function update(script = state.script(), preview = false) {
  if (!script.source) { clear(); return; }
  const asked = body(script);
  const key = JSON.stringify(asked);
  if (key === shownScript) return;
  try {
    const answer = await answerTo(asked, key, preview);
    result = answer;
    shownScript = key;
    size = answer.size;
    labels = answer.labels ? Uint8Array.from(atob(answer.labels), (letter) => letter.charCodeAt(0)) : null;
    showPicture(answer.picture);
    byId("face").alt = answer.seen.length ? `The chosen face, showing ${listed(answer.seen)}` : "The chosen face";
    draw();
    if (!preview) onSelect();
  } catch (error) {
    if (error.name !== "AbortError") { result = null; shownScript = ""; }
    complain(error);
  }
}

// The place of a pointer in shares of the side.
function placeOf(event) {
  const box = byId("face").getBoundingClientRect();
  return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
}

export function regionAtPlace([x, y]) {
  const [column, row] = [Math.floor(size * x), Math.floor(size * y)];
  const inside = labels && column >= 0 && row >= 0 && column < size && row < size;
  return inside ? regions[labels[row * size + column]] ?? null : null;
}

function maskOf(shown) {
  const mask = new OffscreenCanvas(size, size);
  const drawing = mask.getContext("2d");
  const pixels = drawing.createImageData(size, size);
  shown.forEach((label, index) => {
    const name = regions[label];
    const colour = label !== labels[index] ? PAINTED
      : selected.has(name) ? SELECTED : name === hovered ? HOVERED : null;
    if (colour) pixels.data.set(colour, 4 * index);
  });
  drawing.putImageData(pixels, 0, 0);
  return mask;
}

export function draw() {
  const canvas = byId("overlay");
  const tag = byId("tag");
  const box = canvas.getBoundingClientRect();
  const scale = window.devicePixelRatio || 1;
  canvas.width = Math.round(box.width * scale);
  canvas.height = Math.round(box.height * scale);
  tag.hidden = !interactive || !hovered || !labels;
  tag.textContent = hovered ? words(hovered) : "";
  if (!interactive || !labels || !canvas.width) return;
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  const painted = tool?.labels();
  context.drawImage(maskOf(painted?.length === labels.length ? painted : labels), 0, 0, canvas.width, canvas.height);
  tool?.draw(context, canvas.width);
}

export function begin() {
  const stage = byId("stage");
  stage.addEventListener("pointerdown", (event) => {
    if (!interactive || !tool || !labels || event.button) return;
    event.preventDefault();
    stage.focus({ preventScroll: true });
    stage.setPointerCapture(event.pointerId);
    tool.down(placeOf(event));
  });
  stage.addEventListener("pointermove", (event) => {
    if (!interactive) return;
    if (tool) tool.move(placeOf(event), stage.hasPointerCapture(event.pointerId));
    else hover(regionAtPlace(placeOf(event)));
  });
  stage.addEventListener("pointerup", (event) => { if (tool && stage.hasPointerCapture(event.pointerId)) tool.up(placeOf(event)); });
  stage.addEventListener("pointerleave", () => { hover(null); tool?.leave(); });
  stage.addEventListener("keydown", (event) => { if (interactive && labels && tool?.key(event)) event.preventDefault(); });
  stage.addEventListener("click", (event) => {
    const name = interactive && !tool ? regionAtPlace(placeOf(event)) : null;
    if (name) select(name, event.shiftKey);
  });
  new ResizeObserver(draw).observe(stage);
}
