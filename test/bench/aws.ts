/** Starts the AWS of the bench: a process beside the measured ones. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

export interface AwsDelays {
  readonly stsMs: number;
  readonly secretsManagerMs: number;
}
/** The number of calls of each operation. */
export type AwsCounts = Readonly<Record<string, number>>;

export interface BenchmarkAws {
  /** For `AWS_ENDPOINT_URL_STS` and `AWS_ENDPOINT_URL_SECRETS_MANAGER`. */
  readonly url: string;
  delay(delays: AwsDelays): Promise<void>;
  /** Returns the calls since the last time. */
  takeCounts(): Promise<AwsCounts>;
  close(): void;
}

export async function startAws(): Promise<BenchmarkAws> {
  const child = fork(fileURLToPath(new URL("aws-process.ts", import.meta.url)));
  const hear = async () => (await once(child, "message"))[0];
  const { port } = await hear();
  const ask = (message: AwsDelays | "take counts") => {
    const answer = hear();
    child.send(message);
    return answer;
  };
  return {
    url: `http://127.0.0.1:${port}`,
    delay: ask,
    takeCounts: () => ask("take counts"),
    close: () => child.disconnect(),
  };
}
