/** What `npm test` does, in which steps, and about how long it takes. Pure. */

/** No project of vitest: two projects run on other versions of Node.js. */
const VERSIONS = "versions";
/** On two idle processors, when all downloads are in place. */
const MINUTES: Readonly<Record<string, number>> = {
  ...{ unit: 0.5, integration: 1, layer: 2, conformance: 0.5, faults: 2, e2e: 4, [VERSIONS]: 4, release: 6 },
};
const CHECK_AND_BUILD_MINUTES = 2;
/** All that may be named. */
export const PROJECTS = Object.keys(MINUTES);
const ONLY_IF_NAMED = [VERSIONS, "release"];

export interface TestPlan {
  /** The projects of vitest. */
  readonly projects: readonly string[];
  /** Vitest's filter of files. */
  readonly filters: readonly string[];
  readonly steps: readonly ("format and types" | "build" | "tests" | "tests on other versions of Node.js")[];
  readonly minutes: number;
}

export function toTestPlan(asked: readonly string[], { isCi }: { readonly isCi: boolean }): TestPlan {
  // Some faults need the end-to-end tests: vitest's filter selects the files there that are called faults, too.
  const isFaultsOnly = asked.join() === "faults";
  const byDefault = PROJECTS.filter((name) => !ONLY_IF_NAMED.includes(name) || (isCi && name === VERSIONS));
  const wanted = isFaultsOnly ? ["faults", "e2e"] : asked.length > 0 ? asked : byDefault;
  const projects = wanted.filter((name) => name !== VERSIONS);
  const needsBuild = wanted.some((name) => name !== "unit");
  const steps = [
    ...(asked.length === 0 ? (["format and types"] as const) : []),
    ...(needsBuild ? (["build"] as const) : []),
    ...(projects.length > 0 ? (["tests"] as const) : []),
    ...(wanted.includes(VERSIONS) ? (["tests on other versions of Node.js"] as const) : []),
  ];
  const minutes = wanted.reduce((sum, name) => sum + (MINUTES[name] ?? 0), needsBuild ? CHECK_AND_BUILD_MINUTES : 0);
  return { projects, filters: isFaultsOnly ? ["faults"] : [], steps, minutes: Math.ceil(minutes) };
}
