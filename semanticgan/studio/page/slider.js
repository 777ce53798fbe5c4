// A slider with its label and value. While it moves, the picture is previewed; when it is let go, the edit is made.

import { element } from "./elements.js";

const PREVIEW_MS = 60;
let number = 0;

export function makeSlider({ label, low, high, step, still }, preview, put) {
  const id = `slider-${number += 1}`;
  const digits = step < 0.1 ? 2 : step < 1 ? 1 : 0;
  const output = element("output", { for: id });
  const input = element("input", { type: "range", id, min: low, max: high, step, value: still });
  const reset = element("button", { type: "button", class: "reset", "aria-label": `Reset ${label}`, title: "Reset" }, "↺");
  let timer = 0;

  const write = () => {
    output.textContent = Number(input.value).toFixed(digits);
    reset.disabled = Number(input.value) === still;
  };
  input.addEventListener("input", () => {
    write();
    clearTimeout(timer);
    timer = setTimeout(() => preview(Number(input.value)), PREVIEW_MS);
  });
  input.addEventListener("change", () => { clearTimeout(timer); put(Number(input.value)); });
  reset.addEventListener("click", () => { input.value = still; write(); put(still); });
  write();
  return {
    root: element("div", { class: "slider" }, element("label", { for: id }, label), input, output, reset),
    value: () => Number(input.value),
    set(value) { if (Number(input.value) !== value) { input.value = value; write(); } },
    enable(usable) { input.disabled = !usable; write(); if (!usable) reset.disabled = true; },
  };
}
