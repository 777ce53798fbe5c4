// Sixteen pictures to choose from.

import { element, png } from "./elements.js";

const NUM = 16;

// choose(picture) is called with the server's picture; chosen(picture) says whether it is the present one.
export function makeGrid(label, name) {
  const cells = Array.from({ length: NUM }, (_, index) => element(
    "button", { type: "button", class: "cell", disabled: true, "aria-label": `${name} ${index + 1}` },
    element("img", { alt: "", draggable: "false" }),
  ));
  const root = element("div", { class: "grid", role: "group", "aria-label": label, "aria-busy": "true" }, cells);
  let pictures = [];

  root.addEventListener("keydown", (event) => {
    const columns = getComputedStyle(root).gridTemplateColumns.split(" ").length;
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns }[event.key];
    const index = cells.indexOf(document.activeElement);
    if (step === undefined || index < 0) return;
    event.preventDefault();
    cells[Math.min(Math.max(index + step, 0), NUM - 1)].focus();
  });

  return {
    root,
    wait() { root.setAttribute("aria-busy", "true"); },
    show(given, choose) {
      pictures = given;
      root.setAttribute("aria-busy", "false");
      cells.forEach((cell, index) => {
        cell.disabled = false;
        cell.firstChild.src = png(pictures[index].picture);
        cell.onclick = () => choose(pictures[index]);
      });
    },
    mark(chosen) {
      cells.forEach((cell, index) => {
        cell.setAttribute("aria-pressed", String(index < pictures.length && chosen(pictures[index])));
      });
    },
  };
}
