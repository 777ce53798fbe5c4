// Files to save: PNG with the mark that a network made it, latent code as .safetensors, edit script.

const utf8 = (text) => new TextEncoder().encode(text);

const TABLE = Uint32Array.from({ length: 256 }, (_, value) => {
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value;
});

function checksum(bytes) {
  let sum = 0xffffffff;
  for (const byte of bytes) sum = TABLE[(sum ^ byte) & 255] ^ (sum >>> 8);
  return (sum ^ 0xffffffff) >>> 0;
}

function joined(...parts) {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) { bytes.set(part, at); at += part.length; }
  return bytes;
}

function word(value) {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}

function chunk(type, content) {
  const body = joined(utf8(type), content);
  return joined(word(content.length), body, word(checksum(body)));
}

const deflated = async (bytes) => new Uint8Array(await new Response(
  new Blob([bytes]).stream().pipeThrough(new CompressionStream("deflate"))).arrayBuffer());

const SIGNATURE = Uint8Array.of(137, 80, 78, 71, 13, 10, 26, 10);
const AFTER_HEADER = SIGNATURE.length + 25;

// RGB, uint8 [S, S, 3] -> the bytes of a PNG. A canvas is not used: some browsers change what is read from it, so that
// visitors cannot be told apart.
export async function png(pixels, size) {
  const lines = new Uint8Array(size * (3 * size + 1)); // each begins with its filter, 0
  for (let y = 0; y < size; y += 1) lines.set(pixels.subarray(3 * size * y, 3 * size * (y + 1)), (3 * size + 1) * y + 1);
  const header = joined(word(size), word(size), Uint8Array.of(8, 2, 0, 0, 0));
  return joined(SIGNATURE, chunk("IHDR", header), chunk("IDAT", await deflated(lines)), chunk("IEND", new Uint8Array(0)));
}

// A PNG of png() with the mark that this script made it, as XMP.
export function marked(bytes, about, script) {
  const escaped = JSON.stringify(script).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  const xmp = about.mark.split(about.mark_script).join(escaped);
  const text = chunk("iTXt", utf8(`XML:com.adobe.xmp\0\0\0\0\0${xmp}`));
  return joined(bytes.subarray(0, AFTER_HEADER), text, bytes.subarray(AFTER_HEADER));
}

// A code [R, D] as LatentCode.load reads it.
export function safetensors(about, code) {
  const shape = [1, about.rows.length, about.style_dim];
  const entry = { dtype: "F32", shape, data_offsets: [0, 4 * code.length] };
  const text = utf8(JSON.stringify({ __metadata__: about.code_metadata, latent_code: entry }));
  const header = joined(text, new Uint8Array(-text.length & 7).fill(32));
  const bytes = new Uint8Array(8 + header.length + 4 * code.length);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(header.length), true);
  bytes.set(header, 8);
  code.forEach((value, index) => view.setFloat32(8 + header.length + 4 * index, value, true));
  return bytes;
}

export function base64(bytes) {
  let letters = "";
  for (const byte of bytes) letters += String.fromCharCode(byte);
  return btoa(letters);
}
