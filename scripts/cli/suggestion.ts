import { editDistance } from "../../extension/config/config.ts";

/** `; did you mean …?`, where one of the known words is no more than two letters away and another word is not meant. */
export function toSuggestion(word: string, known: readonly string[]): string {
  const [nearest] = known
    .map((candidate) => ({ candidate, distance: editDistance(word.toLowerCase(), candidate) }))
    .filter(({ candidate, distance }) => distance <= 2 && distance < candidate.length / 2)
    .sort((a, b) => a.distance - b.distance);
  return nearest === undefined ? "" : `; did you mean ${nearest.candidate}?`;
}
