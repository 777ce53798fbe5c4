// The worker as functions. A request that a newer one of the same kind replaces is given up.

const worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
const open = new Map(); // kind -> { id, resolve, reject }
let number = 0;

const count = () => document.body.classList.toggle("busy", open.size > 0);

function end(kind, id, finish) {
  const request = open.get(kind);
  if (!request || request.id !== id) return;
  open.delete(kind);
  count();
  finish(request);
}

// Load the model; told(loaded, total) is called as bytes arrive.
export function begin(about, told) {
  return new Promise((resolve, reject) => {
    worker.onerror = (event) => {
      event.preventDefault();
      reject(new Error("This browser cannot run the model. Use a newer one: Chrome 91, Firefox 114, Safari 16.4 or later."));
    };
    worker.onmessage = ({ data }) => {
      if (data.kind) end(data.kind, data.id, (one) => (data.error ? one.reject(new Error(data.error)) : one.resolve(data.pictures)));
      else if (data.failed) reject(new Error(data.failed));
      else if (data.ready) resolve();
      else told(data.loaded, data.total);
    };
    worker.postMessage({ about });
  });
}

// Scripts -> [{ png, code }]
export function render(kind, scripts) {
  const replaced = open.get(kind);
  if (replaced) end(kind, replaced.id, (one) => one.reject(new DOMException("replaced", "AbortError")));
  const id = number += 1;
  return new Promise((resolve, reject) => {
    open.set(kind, { id, resolve, reject });
    count();
    worker.postMessage({ kind, id, scripts });
  });
}
