// Asks the server. A request that a newer one of the same kind replaces is given up, which frees its place there.

const open = new Map();
let working = 0;

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
      throw new Error("The studio does not answer. Is it still running in the terminal?");
    }
    if (answer.status !== 429) break;
    await wait(Number(answer.headers.get("retry-after")) || 2);
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

export const get = async (kind, address) => (await ask(kind, address, {})).json();

export async function post(kind, address, body) {
  const headers = { "content-type": "application/json" };
  return (await ask(kind, address, { method: "POST", headers, body: JSON.stringify(body) })).json();
}

export async function file(address, body) {
  const headers = { "content-type": "application/json" };
  const options = body ? { method: "POST", headers, body: JSON.stringify(body) } : {};
  return (await ask("file", address, options)).blob();
}

export const upload = async (form) => (await ask("upload", "/api/photographs", { method: "POST", body: form })).json();
export const forget = (id) => fetch(`/api/photographs/${id}`, { method: "DELETE" }).catch(() => {});
