/**
 * AWS in a random life. It answers a call when a step says so, with what was true when the call arrived. Each answer holds
 * the number of its try, so that the reader of a value can tell where it comes from.
 */
import type * as AwsSdk from "../../../extension/aws/sdk.ts";
import type * as AwsSsm from "../../../extension/aws/sdk-ssm.ts";
import type { ParameterValue } from "../../../extension/values/parameter.ts";
import type { SecretQuery, SecretValue } from "../../../extension/values/secret.ts";
import type { CallTrace, LifeCall, LifeFetch, LifeSession } from "./calls.ts";
import type { LifeClock } from "./clock.ts";
import { refusals, type SdkFault, SESSION_LIFE_MS } from "./life.ts";
import { type Meaning, toParameterForm, toSecretForm, toSuffix } from "./requests.ts";

const BIG_BYTES = 3 * 1_048_576;
const MAX_TRIES = 100_000;
/** Each answer with a big secret is another view of this memory. Where the view begins is the number of the try. */
const BIG = new Uint8Array(BIG_BYTES + MAX_TRIES);

/** The number of the try that brought the value. */
export function toTry(value: SecretValue | ParameterValue): number {
  if ("type" in value) return Number(value.value);
  return value.secretBinary?.byteOffset ?? Number(value.secretString);
}

interface PendingTry {
  answer(): void;
  fail(fault: SdkFault): void;
}

export type LifeAws = ReturnType<typeof createLifeAws>;

export function createLifeAws(deps: {
  readonly clock: LifeClock;
  readonly trace: CallTrace;
  readonly onFetch: (fetch: LifeFetch) => void;
}) {
  const { trace } = deps;
  const { now, monotonicNow } = deps.clock;
  const callOfTry: LifeCall[] = [];
  const sessions: LifeSession[] = [];
  /** How often each secret was created again, and its versions, the first and the last one. */
  const states = new Map<string, { generation: number; firstVersion: number; version: number }>();
  let pending: readonly PendingTry[] = [];

  function toState({ kind, name, accountId, region }: Meaning) {
    const key = `${kind} ${accountId} ${region} ${name}`;
    const state = states.get(key) ?? { generation: 0, firstVersion: 1, version: 1 };
    states.set(key, state);
    return state;
  }

  /** A try arrives. What `toAnswer` returns gives the answer, when a step says so. */
  function receive<T>(signal: AbortSignal, toAnswer: (call: LifeCall, nth: number) => () => T): Promise<T> {
    const call = trace.callOf(signal);
    const nth = callOfTry.push(call) - 1;
    if (nth >= MAX_TRIES) throw new Error("a life has too many calls");
    const give = toAnswer(call, nth);
    return new Promise<() => T>((resolve, reject) => {
      const end = (settle: () => void) => {
        pending = pending.filter((other) => other !== taken);
        settle();
      };
      const taken: PendingTry = {
        answer: () => end(() => resolve(give)),
        fail: (fault) =>
          end(() => (fault === "nonsense" ? resolve(() => NONSENSE as T) : reject(toSdkError(fault, call, nth)))),
      };
      signal.addEventListener("abort", () => end(() => reject(Object.assign(new Error(), { name: "AbortError" }))));
      pending = [...pending, taken];
    }).then((give) => give());
  }

  /** A read arrives. The answer fails as AWS's does if the session had ended, or if there is no such version. */
  function receiveRead<T>(
    signal: AbortSignal,
    accessKeyId: string,
    toForm: (fetch: LifeFetch) => { form: string; version: Omit<SecretQuery, "secretId"> },
    toAnswer: (meaning: Meaning, versionId: string, generation: number, nth: number) => T,
  ): Promise<T> {
    return receive(signal, (call, nth) => {
      const { fetch } = call;
      const session = sessions[Number(accessKeyId.replace("ASIA", ""))];
      if (fetch === undefined || session?.source !== call.source) throw new Error("another role's session");
      const { form, version } = toForm(fetch);
      if (fetch.form === undefined) {
        fetch.form = form;
        deps.onFetch(fetch);
      }
      const hasExpired = monotonicNow() >= session.issuedAtMonotonicMs + SESSION_LIFE_MS;
      const { isRevoked } = session;
      const { generation } = toState(fetch.meaning);
      const versionId = findVersion(fetch.meaning, version);
      return () => {
        if (hasExpired || isRevoked) {
          call.endedSession = session;
          throw toSdkError(isRevoked ? "revoked" : "expired", call, nth);
        }
        if (versionId === undefined) throw toSdkError("gone", call, nth);
        fetch.answer = { versionId, generation };
        return toAnswer(fetch.meaning, versionId, generation, nth);
      };
    });
  }

  function findVersion(meaning: Meaning, wanted: Omit<SecretQuery, "secretId">): string | undefined {
    const { generation, firstVersion, version } = toState(meaning);
    if (meaning.name === "missing" || (meaning.generation ?? generation) !== generation) return undefined;
    const { versionId, versionStage = versionId === undefined ? "AWSCURRENT" : undefined } = wanted;
    const staged = versionStage === "AWSPREVIOUS" ? version - 1 : version;
    const nth = versionStage === undefined ? Number(versionId?.slice(1)) : staged;
    const isThere = nth >= firstVersion && nth <= version && (versionId ?? `v${nth}`) === `v${nth}`;
    return isThere ? `v${nth}` : undefined;
  }

  const $metadata = {};
  const sdk: Pick<typeof AwsSdk, "assumeRole" | "getSecretValue" | "connectSecretsManager"> = {
    connectSecretsManager: () => ({}),
    assumeRole: (_input, _options, signal) =>
      receive(signal, ({ source }) => {
        const askedAtEpochMs = now();
        return () => {
          const dateEpochMs = monotonicNow();
          const session = { source, issuedAtMonotonicMs: dateEpochMs, askedAtEpochMs, isRevoked: false };
          const AccessKeyId = `ASIA${sessions.push(session) - 1}`;
          const Expiration = new Date(dateEpochMs + SESSION_LIFE_MS);
          const Credentials = { AccessKeyId, SecretAccessKey: "key", SessionToken: "token", Expiration };
          return { answer: { Credentials, $metadata }, dateEpochMs };
        };
      }),
    getSecretValue: ({ VersionId, VersionStage }, { region, credentials }, signal) =>
      receiveRead(
        signal,
        credentials.accessKeyId,
        () => {
          const version = {
            ...(VersionId === undefined ? {} : { versionId: VersionId }),
            ...(VersionStage === undefined ? {} : { versionStage: VersionStage }),
          };
          return { form: toSecretForm(version), version };
        },
        ({ name, accountId }, versionId, generation, nth) => ({
          ARN: `arn:aws:secretsmanager:${region}:${accountId}:secret:${name}-${toSuffix(generation)}`,
          Name: name,
          VersionId: versionId,
          VersionStages: ["AWSCURRENT"],
          CreatedDate: new Date(1),
          ...(name.startsWith("big")
            ? { SecretBinary: BIG.subarray(nth, nth + BIG_BYTES) }
            : { SecretString: String(nth) }),
          $metadata,
        }),
      ),
  };

  const ssm: typeof AwsSsm = {
    getParameter: ({ Name = "", WithDecryption = false }, { credentials }, signal) =>
      receiveRead(
        signal,
        credentials.accessKeyId,
        ({ id }) => {
          const selector = Name.slice(id.length + 1);
          const form = toParameterForm({ selector, withDecryption: WithDecryption });
          return { form, version: selector === "" ? {} : { versionId: `v${selector}` } };
        },
        ({ name, accountId, region }, versionId, _, nth) => {
          const ARN = `arn:aws:ssm:${region}:${accountId}:parameter/${name.replace(/^\//, "")}`;
          const Version = Number(versionId.slice(1));
          return { Parameter: { ARN, Name: name, Type: "String" as const, Version, Value: String(nth) }, $metadata };
        },
      ),
  };

  return {
    sdk,
    ssm,
    toState,
    callOfTry: (nth: number): LifeCall | undefined => callOfTry[nth],
    pending: (): readonly PendingTry[] => pending,
    revoke(): void {
      for (const session of sessions) session.isRevoked = true;
    },
  };
}

/** An answer that is not AWS's. */
const NONSENSE = { $metadata: {}, answer: { $metadata: {} }, dateEpochMs: undefined };

type ErrorName = Exclude<SdkFault, "nonsense" | "unreachable"> | "revoked";
const secretErrors: Readonly<Record<ErrorName, string>> = {
  throttled: "ThrottlingException",
  server: "InternalServiceError",
  expired: "ExpiredTokenException",
  denied: "AccessDeniedException",
  revoked: "AccessDeniedException",
  kms: "DecryptionFailure",
  gone: "ResourceNotFoundException",
  deleted: "InvalidRequestException",
};
const parameterErrors: Readonly<Record<ErrorName, string>> = {
  ...secretErrors,
  ...{ kms: "InvalidKeyId", gone: "ParameterNotFound", deleted: "ParameterNotFound" },
};

function toSdkError(fault: ErrorName | "unreachable", call: LifeCall, nth: number): Error {
  if (fault === "unreachable") return Object.assign(new Error(), { code: "ECONNREFUSED" });
  const isAssumeRole = call.fetch === undefined;
  const errors = call.fetch?.meaning.kind === "parameter" ? parameterErrors : secretErrors;
  const name = errors[isAssumeRole && refusals.some((refusal) => refusal === fault) ? "denied" : fault];
  // After a denial that is not explicit, a plain request is sent once more with the stage. The lives are about the cache.
  const isDenial = fault === "revoked" || fault === "denied";
  const message = isDenial ? "not authorized, with an explicit deny in an identity-based policy" : "";
  const [$fault, httpStatusCode] = fault === "server" ? ["server", 500] : ["client", 400];
  return Object.assign(new Error(message), { name, $fault, $metadata: { httpStatusCode, requestId: `try-${nth}` } });
}
