/** A layer cannot be built on this machine, through no fault of the source. */
export class Unavailable extends Error {
  override readonly name = "Unavailable";
}
