/** A read from the cache, beside two limits: `node:http` that answers a constant of the same bytes, and a socket that echoes. */
import { fileURLToPath } from "node:url";
import { toOpt } from "../../../scripts/build/build.ts";
import { findFreePort } from "../../support/free-port.ts";
import { AGENT, type Figure, interleave, type MeasureSection } from "../figure.ts";
import { type Load, type Loaded, read, startLoader, toMarks, toRequest } from "../load.ts";
import { SECRET_NAME, startAgent, startExtension, startProgram, toMeasuredLayer, toNodeCommand } from "../processes.ts";

const connectionModes = [
  { connections: 1, isKeepAlive: true },
  { connections: 8, isKeepAlive: true },
  { connections: 64, isKeepAlive: true },
  { connections: 1, isKeepAlive: false },
  { connections: 8, isKeepAlive: false },
  { connections: 64, isKeepAlive: false },
] as const;
const measures = [
  ["p50", "p50Ms", "ms"],
  ["p99", "p99Ms", "ms"],
  ["p99.9", "p999Ms", "ms"],
  ["requests", "perSecond", "per s"],
] as const;
/** In the plot, with connections kept alive: the latency of one reader, and the throughput of several. */
const isKey = (measure: string, { connections, isKeepAlive }: (typeof connectionModes)[number]): boolean =>
  isKeepAlive && (connections === 1 ? ["p50", "p99"] : ["requests"]).includes(measure);
const WARM_UP_READS = 5_000;
/** Headers that `node:http` writes itself, or that belong to the connection. */
const OTHER_HEADERS = ["date", "connection", "keep-alive", "transfer-encoding"];

const SHARED =
  "the reader is a process on the same machine, with sockets and no HTTP client: it takes the same part of the processors for all servers";

export const measureRead: MeasureSection = async ({ layers, aws, isQuick, agent: program }) => {
  const [name] = layers.toSorted((a, b) => Number(a === "nodejs") - Number(b === "nodejs"));
  if (name === undefined) return { figures: [] };
  const { layer, commands } = toMeasuredLayer(name);
  const node = toNodeCommand(toOpt(name));
  const startLimit = async (program: string, variables: Record<string, string> = {}) => {
    const port = await findFreePort();
    const path = fileURLToPath(new URL(`../programs/${program}.cjs`, import.meta.url));
    const environment = { PORT: String(port), ...variables };
    return { port, ...(await startProgram({ command: [...node, path], environment, sign: "listening" })) };
  };

  const loader = startLoader();
  const extension = await startExtension({ command: commands.layer, aws });
  const answer = await read(extension.port, SECRET_NAME);
  const ofAnswer = Object.entries(answer.headers).filter(([header]) => !OTHER_HEADERS.includes(header));
  const constant = await startLimit("constant", {
    BODY: answer.body,
    HEADERS: JSON.stringify(Object.fromEntries(ofAnswer)),
  });
  const echo = await startLimit("echo");
  const agent = program === undefined ? undefined : await startAgent(program, aws);
  const marksOfAgent = agent && toMarks(await read(agent.port, SECRET_NAME, { isAgent: true }));
  const limits = { "constant node:http": constant.port, echo: echo.port };
  const servers = { [layer]: extension.port, ...limits, ...(agent && { [AGENT]: agent.port }) };
  const toLoad = (who: string, port: number, mode: (typeof connectionModes)[number]): Omit<Load, "until"> => ({
    ...mode,
    port,
    requests: [toRequest(port, SECRET_NAME, { ...mode, isAgent: who === AGENT })],
    ...(who === "echo" ? { head: "GET ", tail: "\r\n\r\n" } : toMarks(answer)),
    ...(who === AGENT ? marksOfAgent : {}),
  });
  const runs = connectionModes.flatMap((mode) =>
    Object.entries(servers).map(([who, port]) => ({ who, mode, load: toLoad(who, port, mode) })),
  );
  for (const { load } of runs) await loader.run({ ...load, until: { count: WARM_UP_READS } });
  const toName = (who: string, mode: (typeof connectionModes)[number]) => JSON.stringify([who, mode]);
  const measured = await interleave<Loaded>(
    isQuick ? 2 : 9,
    new Map(
      runs.map(({ who, mode, load }) => [
        toName(who, mode),
        () => loader.run({ ...load, until: { ms: isQuick ? 300 : 1_000 } }),
      ]),
    ),
  );
  loader.close();
  await Promise.all([extension, constant, echo, agent].map((server) => server?.close()));

  const figures = connectionModes.flatMap((mode) =>
    measures.map(([measure, key, unit]): Figure => {
      const take = (who: string) => measured(toName(who, mode)).map((loaded) => loaded[key]);
      const connections = `${mode.connections} ${mode.isKeepAlive ? "kept alive" : "at once, new for each read"}`;
      const others = Object.keys(servers).filter((who) => who !== layer);
      return {
        what: `${measure}, connections: ${connections}`,
        who: layer,
        unit,
        numbers: take(layer),
        against: others.map((who) => ({ who, numbers: take(who) })),
        isKey: isKey(measure, mode),
      };
    }),
  );
  return { figures, notes: [SHARED] };
};
