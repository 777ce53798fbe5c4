// Makes elements of the page.

export const byId = (id) => document.getElementById(id);

// element("button", {type: "button", class: "primary", onclick: f}, "Shuffle")
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children.flat().filter((child) => child !== null));
  return made;
}

export const words = (name) => name.replaceAll("_", " ");
export const png = (base64) => `data:image/png;base64,${base64}`;

let saidTimer = 0;

// Tells a screen reader, without moving the focus.
export function say(sentence) {
  clearTimeout(saidTimer);
  saidTimer = setTimeout(() => { byId("said").textContent = sentence; }, 50);
}

export function complain(error) {
  if (error.name === "AbortError") return;
  const box = byId("message");
  const text = error.message || "Something went wrong. Try again.";
  box.querySelector("p").textContent = text[0].toUpperCase() + text.slice(1);
  box.hidden = false;
}

export function quiet() { byId("message").hidden = true; }
