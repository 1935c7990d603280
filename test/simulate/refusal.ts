/** Wrong arguments, in one line. */
export class Refusal extends Error {
  override readonly name = "Refusal";
}

/** Of what `parseArgs` says: its first sentence names the argument; the others are advice that does not fit here. */
export function toRefusal({ message }: Error): Refusal {
  const [sentence = ""] = message.split(/\.?\n|\. /);
  return new Refusal(`${sentence.charAt(0).toLowerCase()}${sentence.slice(1)}; --help says what there is`);
}
