// The chosen face: its picture, and the regions under the pointer and selected, drawn over it.

import * as api from "./api.js";
import { byId, complain, png, say, words } from "./elements.js";
import * as state from "./state.js";

const HOVERED = [255, 255, 255, 120];
const SELECTED = [20, 170, 155, 150];

let result = null; // the server's answer to the present script
let labels = null; // the label of each pixel
let size = 1;
let shownScript = "";
let regions = [];
let hovered = null;
let selected = new Set();
let onSelect = () => {};
let interactive = false;

export const present = () => result;
export const isSeen = (name) => !result || result.seen.includes(name);
export const selection = () => regions.filter((name) => selected.has(name));

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

export function hover(name) { if (name !== hovered) { hovered = name; draw(); } }

export function select(name, several) {
  if (several) selected.has(name) ? selected.delete(name) : selected.add(name);
  else selected = new Set(selected.size === 1 && selected.has(name) ? [] : [name]);
  const names = selection().map(words);
  say(names.length ? `Selected: ${names.join(", ")}` : "No region selected");
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

// Render the present script, or one that is not in the history yet (while a slider moves).
export async function update(script = state.script(), preview = false) {
  if (!script.source) { clear(); return; }
  const asked = JSON.stringify([state.now().model, script]);
  if (asked === shownScript) return;
  try {
    const answer = await api.post("edit", "/api/edit", { model: state.now().model, script });
    result = answer;
    shownScript = asked;
    size = answer.size;
    labels = Uint8Array.from(atob(answer.labels), (letter) => letter.charCodeAt(0));
    showPicture(answer.picture);
    byId("face").alt = `The chosen face, showing ${answer.seen.map(words).join(", ")}`;
    draw();
    if (!preview) onSelect();
  } catch (error) {
    if (error.name !== "AbortError") { result = null; shownScript = ""; }
    complain(error);
  }
}

function regionAt(event) {
  const box = byId("face").getBoundingClientRect();
  const x = Math.floor(size * (event.clientX - box.left) / box.width);
  const y = Math.floor(size * (event.clientY - box.top) / box.height);
  const inside = labels && x >= 0 && y >= 0 && x < size && y < size;
  return inside ? regions[labels[y * size + x]] ?? null : null;
}

function draw() {
  const canvas = byId("overlay");
  const tag = byId("tag");
  const box = canvas.getBoundingClientRect();
  const scale = window.devicePixelRatio || 1;
  canvas.width = Math.round(box.width * scale);
  canvas.height = Math.round(box.height * scale);
  tag.hidden = !interactive || !hovered || !labels;
  tag.textContent = hovered ? words(hovered) : "";
  if (!interactive || !labels || !canvas.width) return;
  const mask = new OffscreenCanvas(size, size);
  const drawing = mask.getContext("2d");
  const pixels = drawing.createImageData(size, size);
  labels.forEach((label, index) => {
    const name = regions[label];
    const colour = name === hovered && !selected.has(name) ? HOVERED : selected.has(name) ? SELECTED : null;
    if (colour) pixels.data.set(colour, 4 * index);
  });
  drawing.putImageData(pixels, 0, 0);
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(mask, 0, 0, canvas.width, canvas.height);
}

export function begin() {
  const stage = byId("stage");
  stage.addEventListener("pointermove", (event) => { if (interactive) hover(regionAt(event)); });
  stage.addEventListener("pointerleave", () => hover(null));
  stage.addEventListener("click", (event) => {
    const name = interactive ? regionAt(event) : null;
    if (name) select(name, event.shiftKey);
  });
  new ResizeObserver(draw).observe(stage);
}
