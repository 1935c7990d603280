/**
 * The chain from one's own credentials to each secret. What asks AWS are the layer's own parts, so that it succeeds and fails
 * as in the layer:
 *
 *   who am I ─► for each source: AssumeRole ─► who am I now ─► GetSecretValue, GetParameter of each
 */

import type { BaseCredentials } from "../../../extension/aws/base-credentials.ts";
import { createAwsCaller } from "../../../extension/aws/call.ts";
import type * as AwsSdk from "../../../extension/aws/sdk.ts";
import type * as AwsSsm from "../../../extension/aws/sdk-ssm.ts";
import type { Config } from "../../../extension/config/config.ts";
import { createExtension } from "../../../extension/extension.ts";
import { toFailure } from "../../../extension/failure/failure.ts";
import type { Source } from "../../../extension/values/source.ts";
import type * as AwsIdentity from "./aws-identity.ts";
import { type Identity, isAgainstCaller, toIdNote, toImpediment, withCaller, withOwnRemedy } from "./caller.ts";
import { toContents } from "./contents.ts";
import { createIdentification } from "./identification.ts";
import { createRemarks } from "./remarks.ts";
import type { Note, Step } from "./walk.ts";

export function toSteps(parts: {
  readonly config: Config;
  readonly baseCredentials: BaseCredentials;
  readonly awsSdk: typeof AwsSdk;
  readonly awsSsm: typeof AwsSsm;
  readonly awsIdentity: typeof AwsIdentity;
  readonly iamEndpoint: string | undefined;
  readonly version: string;
  /** How long AWS may take in each step. */
  readonly timeoutMs: number;
  readonly now: () => number;
  readonly monotonicNow: () => number;
  /** From 0 to 1, without 1. */
  readonly random: () => number;
  readonly readFile: (path: string) => string;
}): readonly Step[] {
  const { config, baseCredentials, now } = parts;
  const { region } = config.aws;
  // It logs failures only, and the steps report those.
  const callAws = createAwsCaller({ ...parts, logger: createRemarks().logger });
  const { identify, findPath } = createIdentification({ ...parts, callAws });
  const toDeadline = () => now() + parts.timeoutMs;

  function toRoleSteps(source: Source, whoAsks: () => Identity): Step {
    const { roleArn } = source;
    const remarks = createRemarks();
    const { readers } = createExtension({
      ...parts,
      config: { ...config, sources: [source] },
      logger: remarks.logger,
      callAws,
      loadAwsSdk: async () => parts.awsSdk,
      loadAwsSsm: async () => parts.awsSsm,
      write() {},
    });
    const [{ credentials, secrets, parameters }] = readers();

    const toSecretStep = (secretId: string): Step => ({
      name: "GetSecretValue",
      as: roleArn,
      of: secretId,
      async take(note) {
        const { value } = await secrets.get({ secretId }, { deadlineEpochMs: toDeadline() });
        const { arn, secretString, secretBinary } = value;
        remarks.take().forEach(note);
        return { arn, ...toContents(secretBinary ?? secretString ?? "") };
      },
      next: [],
    });

    const toParameterStep = (parameterId: string): Step => ({
      name: "GetParameter",
      as: roleArn,
      of: parameterId,
      async take() {
        const query = { parameterId, withDecryption: true };
        const { value: parameter } = await parameters.get(query, { deadlineEpochMs: toDeadline() });
        const { arn, value } = parameter;
        // A reference to a binary secret has no text.
        return { arn, ...(value === undefined ? { form: "binary" } : toContents(value)) };
      },
      next: [],
    });

    const whoAmINow: Step = {
      name: "GetCallerIdentity",
      as: roleArn,
      async take(note) {
        const found = await identify(roleArn, () => credentials.get(toDeadline())).catch(toUntold(note));
        return found === undefined ? {} : { account: found.account, arn: found.arn };
      },
      next: [...source.prefetchIds.map(toSecretStep), ...source.parameterNames.map(toParameterStep)],
    };

    return {
      name: "AssumeRole",
      of: roleArn,
      async take(note) {
        try {
          await credentials.get(toDeadline());
        } finally {
          remarks.take().forEach(note);
        }
        return { arn: roleArn };
      },
      async explain(failure, note) {
        if (!isAgainstCaller(failure)) return withOwnRemedy(failure, region);
        const identity = whoAsks();
        const idNote = failure.code === "assume-role-denied" ? toIdNote(identity) : undefined;
        if (idNote !== undefined) note(idNote);
        const hasTags = config.sessionTags !== undefined;
        const wishes = {
          externalId: source.externalId,
          hasTags,
          hasSourceIdentity: config.sourceIdentity !== undefined,
        };
        return withCaller(failure, identity, wishes, await findPath(identity));
      },
      next: [whoAmINow],
    };
  }

  let identity: Identity = { account: "", arn: "", userId: "" };
  const whoAmI: Step = {
    name: "GetCallerIdentity",
    async take(note) {
      // They may take longer than an answer of AWS's.
      await baseCredentials.get();
      const told = await identify("", baseCredentials.get).catch(toUntold(note));
      if (told === undefined) return {};
      const { clockOffsetMs, ...found } = told;
      identity = found;
      for (const text of [toImpediment(found), toClockNote(clockOffsetMs)]) if (text !== undefined) note(text);
      const { account, arn } = found;
      return { account, arn };
    },
    explain: async (failure) => withOwnRemedy(failure, region),
    next: config.sources.map((source) => toRoleSteps(source, () => identity)),
  };
  return [whoAmI];
}

/**
 * Nobody needs a permission to ask who they are, but the policy of a VPC endpoint may let nothing but AssumeRole through:
 * the layer does not ask, and works.
 */
const toUntold =
  (note: Note) =>
  (thrown: unknown): undefined => {
    const { awsCode = "", requestId } = toFailure(thrown).details;
    if (!/^AccessDenied(Exception)?$/.test(awsCode)) throw thrown;
    note(`AWS does not tell: the policy of a VPC endpoint may refuse GetCallerIdentity (request id ${requestId})`);
  };

/** So far off its own time AWS refuses what is signed; clients of the SDK, ours too, then sign by AWS's clock, others do not. */
const TOLERANCE_MINUTES = 5;

function toClockNote(clockOffsetMs: number): string | undefined {
  const minutes = Math.round(Math.abs(clockOffsetMs) / 60_000);
  if (minutes < TOLERANCE_MINUTES) return undefined;
  return `this machine's clock is ${minutes} minutes ${clockOffsetMs > 0 ? "behind" : "ahead of"} AWS's: set it`;
}
