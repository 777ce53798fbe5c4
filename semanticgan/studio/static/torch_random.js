// PyTorch's random stream on the CPU: torch.randn(size, generator=torch.Generator().manual_seed(seed)), float32.
//
// Source: ATen/core/MT19937RNGEngine.h and native/cpu/DistributionTemplates.h (normal_fill). From 16 numbers on,
// uniforms of 24 bits become normals by Box-Muller in blocks of 16; fewer are drawn in pairs from uniforms of 53 bits.

// The Mersenne Twister of a seed from 0 to 2^32 - 1: a function that returns its next word of 32 bits.
export function words(seed) {
  const key = new Uint32Array(624).fill(seed, 0, 1);
  for (let i = 1; i < 624; i += 1) key[i] = Math.imul(1812433253, key[i - 1] ^ (key[i - 1] >>> 30)) + i;
  let at = 624;
  return () => {
    for (let i = 0; at === 624 && i < 624; i += 1) {
      const word = (key[i] & 0x80000000) | (key[(i + 1) % 624] & 0x7fffffff);
      key[i] = key[(i + 397) % 624] ^ (word >>> 1) ^ (word & 1 ? 0x9908b0df : 0);
    }
    at %= 624;
    let word = key[at];
    at += 1;
    word ^= word >>> 11;
    word ^= (word << 7) & 0x9d2c5680;
    word ^= (word << 15) & 0xefc60000;
    return (word ^ (word >>> 18)) >>> 0;
  };
}

export function randn(size, seed) {
  const next = words(seed);
  const values = new Float32Array(size);
  const pair = (first, second, radius, angle) => {
    values[first] = radius * Math.cos(angle);
    if (second < size) values[second] = radius * Math.sin(angle);
  };
  if (size < 16) {
    const uniform = () => (2 ** 32 * (next() & 0x1fffff) + next()) / 2 ** 53;
    for (let i = 0; i < size; i += 2) {
      const angle = 2 * Math.PI * uniform();
      pair(i, i + 1, Math.sqrt(-2 * Math.log1p(-uniform())), angle);
    }
    return values;
  }
  const draw = (from, to) => { for (let i = from; i < to; i += 1) values[i] = (next() & 0xffffff) / 2 ** 24; };
  const block = (from) => {
    for (let i = from; i < from + 8; i += 1) pair(i, i + 8, Math.sqrt(-2 * Math.log(1 - values[i])), 2 * Math.PI * values[i + 8]);
  };
  draw(0, size);
  for (let from = 0; from + 16 <= size; from += 16) block(from);
  if (size % 16) { // the last 16 are drawn again
    draw(size - 16, size);
    block(size - 16);
  }
  return values;
}
