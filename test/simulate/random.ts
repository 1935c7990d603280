/** Random numbers that are the same at every run with the same seed: Tommy Ettinger's Mulberry32. */
export function createRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let bits = Math.imul(state ^ (state >>> 15), state | 1);
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** How long until the next of a row of events that come independently of each other. */
export const toInterval = (mean: number, random: () => number): number => -mean * Math.log(1 - random());
