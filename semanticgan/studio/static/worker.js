// Computes pictures of edit scripts, off the page's thread: z -> w -> code -> picture.
//
// in   { about }                      once
//      { kind, id, scripts }           the newest request of each kind is computed, in the order of KINDS
// out  { loaded, total } bytes; { ready }; { failed: sentence }
//      { kind, id, pictures: [{ png, code }] } or { kind, id, error: sentence }

import * as ort from "./ort.js";
import { codeOf, seedsOf } from "./codes.js";
import { png } from "./files.js";
import { randn } from "./torch_random.js";

const KINDS = ["face", "save", "offer"];
const MOST_IMAGES = 16; // that a graph takes
const AT_ONCE = 4; // pictures in a batch: the longest that a click waits for sixteen others
const MOST_KEPT = 4096; // seeds whose w is kept

const BINARY = "ort.wasm";
const MAPPING = "mapping.onnx";
const GENERATOR = "generator.onnx";

let about = null;
let mapping = null;
let generator = null;
let working = false;
const kept = new Map(); // seed -> w [D]
const wanted = new Map(); // kind -> request

// The files of the model and the runtime, with the bytes that arrived told.
async function load(names) {
  const total = names.reduce((sum, name) => sum + about.files[name], 0);
  let loaded = 0;
  const one = async (name) => {
    const expected = about.files[name];
    let answer;
    try {
      answer = await fetch(new URL(name, import.meta.url));
    } catch { throw new Error(`${name} could not be loaded. Check the network, then reload the page.`); }
    if (!answer.ok) throw new Error(`${name} could not be loaded: the host answers ${answer.status}. Copy the whole folder there again.`);
    const bytes = new Uint8Array(expected);
    let at = 0;
    const reader = answer.body.getReader();
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      if (at + part.value.length <= expected) bytes.set(part.value, at);
      at += part.value.length;
      loaded += part.value.length;
      postMessage({ loaded, total });
    }
    if (at !== expected) throw new Error(`${name} has ${at} bytes in place of ${expected}. Copy the whole folder to the host again.`);
    return bytes;
  };
  return Promise.all(names.map(one));
}

async function begin() {
  const [binary, ofMapping, ofGenerator] = await load([BINARY, MAPPING, GENERATOR]);
  ort.env.wasm.numThreads = 1; // more need headers that a plain host does not send
  ort.env.wasm.wasmBinary = binary.buffer;
  const options = { executionProviders: ["wasm"] };
  mapping = await ort.InferenceSession.create(ofMapping, options);
  generator = await ort.InferenceSession.create(ofGenerator, options);
}

async function mapSeeds(seeds) {
  const fresh = [...new Set(seeds)].filter((seed) => !kept.has(seed));
  if (!fresh.length) return;
  const some = fresh.slice(0, MOST_IMAGES);
  const z = new Float32Array(some.length * about.latent_dim);
  some.forEach((seed, index) => z.set(randn(about.latent_dim, seed), index * about.latent_dim));
  const { w } = await mapping.run({ z: new ort.Tensor("float32", z, [some.length, about.latent_dim]) });
  some.forEach((seed, index) => kept.set(seed, w.data.slice(index * about.style_dim, (index + 1) * about.style_dim)));
  await mapSeeds(fresh);
}

// [-1, 1] of planes [3, S, S] -> uint8 [S, S, 3]
function pixelsOf(image, from) {
  const plane = about.size * about.size;
  const pixels = new Uint8ClampedArray(3 * plane); // rounds halves to even, as PyTorch does
  for (let channel = 0; channel < 3; channel += 1) {
    for (let index = 0; index < plane; index += 1) {
      pixels[3 * index + channel] = (image[from + channel * plane + index] + 1) * 127.5;
    }
  }
  return pixels;
}

async function render(scripts) {
  await mapSeeds(scripts.flatMap(seedsOf));
  const codes = scripts.map((script) => codeOf(about, script, (seed) => kept.get(seed)));
  if (kept.size > MOST_KEPT) kept.clear();
  const latents = new Float32Array(codes.length * codes[0].length);
  codes.forEach((code, index) => latents.set(code, index * code.length));
  const shape = [codes.length, about.rows.length, about.style_dim];
  const { image } = await generator.run({ latents: new ort.Tensor("float32", latents, shape) }, ["image"]);
  const length = 3 * about.size * about.size;
  return Promise.all(codes.map(async (code, index) => (
    { png: await png(pixelsOf(image.data, index * length), about.size), code })));
}

async function work() {
  working = true;
  while (wanted.size) {
    const request = KINDS.map((name) => wanted.get(name)).find(Boolean);
    const { kind, id, scripts, pictures } = request;
    try {
      pictures.push(...await render(scripts.slice(pictures.length, pictures.length + AT_ONCE)));
      if (pictures.length === scripts.length) {
        if (wanted.get(kind) === request) wanted.delete(kind);
        postMessage({ kind, id, pictures });
      }
    } catch (error) {
      if (wanted.get(kind) === request) wanted.delete(kind);
      postMessage({ kind, id, error: `The picture could not be computed (${error.message}). Try again, or reload the page.` });
    }
    await new Promise((done) => setTimeout(done)); // newer requests come in here
  }
  working = false;
}

onmessage = async ({ data }) => {
  if (!data.about) {
    wanted.set(data.kind, { ...data, pictures: [] });
    if (!working) work();
    return;
  }
  ({ about } = data);
  try {
    await begin();
    postMessage({ ready: true });
  } catch (error) { postMessage({ failed: error.message }); }
};
