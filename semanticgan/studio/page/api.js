// Asks the server. A request that a newer one of the same kind replaces is given up, which frees its place there.

const open = new Map();
let working = 0;

// A random name of this page: the server keeps its last picture, so that an edit computes only what it changes.
const client = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

const wait = (seconds) => new Promise((done) => setTimeout(done, 1000 * seconds));

function count(change) {
  working += change;
  document.body.classList.toggle("busy", working > 0);
}

async function answerOf(address, options) {
  let answer;
  for (let tries = 0; tries < 4; tries += 1) {
    try {
      answer = await fetch(address, options);
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Error("The studio does not answer. See whether it still runs in the terminal, then try again.");
    }
    if (answer.status !== 429) break;
    await wait(Number(answer.headers.get("retry-after")) || 2);
    options.signal?.throwIfAborted();
  }
  if (answer.ok) return answer;
  let sentence = `The studio answered ${answer.status}. Try again.`;
  try { sentence = (await answer.json()).error || sentence; } catch { /* no JSON: the sentence above */ }
  throw Object.assign(new Error(sentence), { status: answer.status });
}

async function ask(kind, address, options) {
  open.get(kind)?.abort();
  const control = new AbortController();
  open.set(kind, control);
  count(1);
  try {
    return await answerOf(address, { ...options, signal: control.signal });
  } finally {
    count(-1);
    if (open.get(kind) === control) open.delete(kind);
  }
}

export const giveUp = (kind) => open.get(kind)?.abort();

export const get = async (kind, address) => (await ask(kind, address, {})).json();

const asJson = (body) => ({ method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });

export const post = async (kind, address, body) => (await ask(kind, address, asJson({ ...body, client }))).json();
export const file = async (address, body) => (await ask("file", address, body ? asJson(body) : {})).blob();
export const upload = async (form) => (await ask("upload", "/api/photographs", { method: "POST", body: form })).json();
export const forget = (address) => fetch(address, { method: "DELETE" }).catch(() => {});

// Follows a long job until it ends; onProgress(told) at every step. Resolves with what was told last.
export function follow(address, onProgress, signal) {
  return new Promise((resolve, reject) => {
    const events = new EventSource(`${address}/events`);
    const end = (settle, value) => { events.close(); settle(value); };
    signal?.addEventListener("abort", () => end(reject, new DOMException("given up", "AbortError")), { once: true });
    events.onerror = () => end(reject, new Error("This was interrupted. Begin it again."));
    events.onmessage = (event) => {
      const told = JSON.parse(event.data);
      onProgress(told);
      if (told.state === "failed") end(reject, new Error(told.error));
      if (told.state === "cancelled") end(reject, new DOMException("cancelled", "AbortError"));
      if (told.state === "done" || told.state === "choose") end(resolve, told);
    };
  });
}
