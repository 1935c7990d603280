/**
 * The steps from the caller's own credentials to each secret. The layer's own code calls AWS, so doctor succeeds and fails
 * as the layer does:
 *
 *   who am I ─► for each source: AssumeRole ─► who am I now ─► GetSecretValue, GetParameter of each
 */

import { createAwsCaller } from "../../../extension/aws/call.ts";
import type * as AwsSdk from "../../../extension/aws/sdk.ts";
import type * as AwsSsm from "../../../extension/aws/sdk-ssm.ts";
import { createExtension } from "../../../extension/extension.ts";
import { toFailure } from "../../../extension/failure/failure.ts";
import type { LogFields, Logger } from "../../../extension/logger.ts";
import type { Source } from "../../../extension/values/source.ts";
import {
  type CallerIdentity,
  type CallerLookupDeps,
  createCallerLookup,
  explainCannotAssume,
  isAboutCaller,
  toIdNote,
  withCaller,
  withSignInRemedy,
} from "./caller.ts";
import { toSecretContents } from "./report.ts";
import type { AddNote, DoctorStep } from "./take-steps.ts";

interface DoctorDeps extends Omit<CallerLookupDeps, "callAws"> {
  readonly awsSdk: typeof AwsSdk;
  readonly awsSsm: typeof AwsSsm;
  readonly monotonicNow: () => number;
  /** From 0 to 1, without 1. */
  readonly random: () => number;
  readonly readFile: (path: string) => string;
}

export function createSteps(deps: DoctorDeps): readonly DoctorStep[] {
  const { config, baseCredentials, now } = deps;
  const { region } = config.aws;
  // The steps report what it logs: failures.
  const callAws = createAwsCaller({ ...deps, logger: createLogNotes().logger });
  const { identify, findPath } = createCallerLookup({ ...deps, callAws });
  const toDeadline = () => now() + deps.timeoutMs;

  function toRoleSteps(source: Source, getIdentity: () => CallerIdentity): DoctorStep {
    const { roleArn } = source;
    const logNotes = createLogNotes();
    const { readers } = createExtension({
      ...deps,
      config: { ...config, sources: [source] },
      logger: logNotes.logger,
      callAws,
      loadAwsSdk: async () => deps.awsSdk,
      loadAwsSsm: async () => deps.awsSsm,
      write() {},
    });
    const [{ credentials, secrets, parameters }] = readers();

    const toSecretStep = (secretId: string): DoctorStep => ({
      name: "GetSecretValue",
      as: roleArn,
      of: secretId,
      async take(addNote) {
        const { value } = await secrets.get({ secretId }, { deadlineEpochMs: toDeadline() });
        const { arn, secretString, secretBinary } = value;
        logNotes.take().forEach(addNote);
        return { arn, ...toSecretContents(secretBinary ?? secretString ?? "") };
      },
      next: [],
    });

    const toParameterStep = (parameterId: string): DoctorStep => ({
      name: "GetParameter",
      as: roleArn,
      of: parameterId,
      async take() {
        const query = { parameterId, withDecryption: true };
        const { value: parameter } = await parameters.get(query, { deadlineEpochMs: toDeadline() });
        const { arn, value } = parameter;
        // A reference to a binary secret has no text.
        return { arn, ...(value === undefined ? { form: "binary" } : toSecretContents(value)) };
      },
      next: [],
    });

    const whoAmINow: DoctorStep = {
      name: "GetCallerIdentity",
      as: roleArn,
      async take(addNote) {
        const found = await identify(roleArn, () => credentials.get(toDeadline())).catch(noteIfDenied(addNote));
        return found === undefined ? {} : { account: found.account, arn: found.arn };
      },
      next: [...source.prefetchIds.map(toSecretStep), ...source.parameterNames.map(toParameterStep)],
    };

    return {
      name: "AssumeRole",
      of: roleArn,
      async take(addNote) {
        try {
          await credentials.get(toDeadline());
        } finally {
          logNotes.take().forEach(addNote);
        }
        return { arn: roleArn };
      },
      async explain(failure, addNote) {
        if (!isAboutCaller(failure)) return withSignInRemedy(failure, region);
        const identity = getIdentity();
        const idNote = failure.code === "assume-role-denied" ? toIdNote(identity) : undefined;
        if (idNote !== undefined) addNote(idNote);
        const options = {
          externalId: source.externalId,
          hasTags: config.sessionTags !== undefined,
          hasSourceIdentity: config.sourceIdentity !== undefined,
        };
        return withCaller(failure, identity, options, await findPath(identity));
      },
      next: [whoAmINow],
    };
  }

  let identity: CallerIdentity = { account: "", arn: "", userId: "" };
  const whoAmI: DoctorStep = {
    name: "GetCallerIdentity",
    async take(addNote) {
      // Finding them may take longer than `timeoutMs`.
      await baseCredentials.get();
      const answer = await identify("", baseCredentials.get).catch(noteIfDenied(addNote));
      if (answer === undefined) return {};
      const { clockOffsetMs, ...found } = answer;
      identity = found;
      for (const text of [explainCannotAssume(found), toClockNote(clockOffsetMs)])
        if (text !== undefined) addNote(text);
      const { account, arn } = found;
      return { account, arn };
    },
    explain: async (failure) => withSignInRemedy(failure, region),
    next: config.sources.map((source) => toRoleSteps(source, () => identity)),
  };
  return [whoAmI];
}

/**
 * GetCallerIdentity needs no permission, but the policy of a VPC endpoint may allow only AssumeRole. The layer works all the
 * same, because it does not call GetCallerIdentity.
 */
const noteIfDenied =
  (addNote: AddNote) =>
  (thrown: unknown): undefined => {
    const { awsCode = "", requestId } = toFailure(thrown).details;
    if (!/^AccessDenied(Exception)?$/.test(awsCode)) throw thrown;
    addNote(
      `AWS denied GetCallerIdentity, probably by the policy of a VPC endpoint; the layer does not need it (request id ${requestId})`,
    );
  };

/** With a larger difference AWS rejects signatures. The SDK then signs by AWS's clock, as the layer does; others do not. */
const TOLERANCE_MINUTES = 5;

function toClockNote(clockOffsetMs: number): string | undefined {
  const minutes = Math.round(Math.abs(clockOffsetMs) / 60_000);
  if (minutes < TOLERANCE_MINUTES) return undefined;
  return `this machine's clock is ${minutes} minutes ${clockOffsetMs > 0 ? "behind" : "ahead of"} AWS's: set it`;
}

/** The lines of the layer's log that become notes. All others repeat a failure or a step. */
const logNoteTexts: ReadonlyMap<string, (fields: LogFields) => string> = new Map([
  ["session-policy-left-out", ({ reason }: LogFields) => `no session policy was sent: ${reason}`],
  [
    "failover",
    ({ region, code }: LogFields) =>
      `the value comes from the replica in ${region}, because the secret's own region fails (${code})`,
  ],
]);

/** A logger that turns lines into notes. `take` returns those since the last call. */
function createLogNotes(): { readonly logger: Logger; readonly take: () => readonly string[] } {
  const notes: string[] = [];
  const log = (event: string, fields: LogFields = {}) => {
    const text = logNoteTexts.get(event)?.(fields);
    if (text !== undefined) notes.push(text);
  };
  return { logger: { debug: log, info: log, warn: log, error: log }, take: () => notes.splice(0) };
}
