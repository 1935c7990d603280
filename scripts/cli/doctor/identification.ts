/** Who one is: as oneself, as the target role, and by what path. */

import type { BaseCredentials } from "../../../extension/aws/base-credentials.ts";
import type { AwsCaller } from "../../../extension/aws/call.ts";
import type { AwsCredentials } from "../../../extension/config/aws-environment.ts";
import type { Config } from "../../../extension/config/config.ts";
import type { AwsCall } from "../../../extension/failure/aws-error.ts";
import { diagnose } from "../../../extension/failure/diagnosis.ts";
import type * as AwsIdentity from "./aws-identity.ts";
import { callerOf, type Identity } from "./caller.ts";

export interface Identification {
  /** GetCallerIdentity, with these credentials. `clockOffsetMs` is how far AWS's clock is ahead of ours. Fails with a `Failure` only. */
  identify(roleArn: string, get: () => Promise<AwsCredentials>): Promise<Identity & { readonly clockOffsetMs: number }>;
  /** The path of one's own role, which its sessions do not tell; undefined where one may not ask for it. */
  findPath(identity: Identity): Promise<string | undefined>;
}

export function createIdentification(parts: {
  readonly config: Config;
  readonly baseCredentials: BaseCredentials;
  readonly awsIdentity: typeof AwsIdentity;
  readonly callAws: AwsCaller;
  /** Of IAM, where it is another than AWS's. */
  readonly iamEndpoint: string | undefined;
  readonly version: string;
  readonly timeoutMs: number;
  readonly now: () => number;
}): Identification {
  const { baseCredentials, awsIdentity, version, timeoutMs, now } = parts;
  const { region, endpoints, clientOptions } = parts.config.aws;
  const options = { ...clientOptions, region, version };
  return {
    identify(roleArn, get) {
      const call: AwsCall = { operation: "GetCallerIdentity", roleArn, region };
      return parts.callAws(call, now() + timeoutMs, async (signal) => {
        const signed = { ...options, credentials: await get(), endpoint: endpoints.sts };
        const { answer, clockOffsetMs } = await awsIdentity.getCallerIdentity(signed, signal);
        const { Account: account, Arn: arn, UserId: userId } = answer;
        if (!account || !arn || !userId) throw diagnose(undefined, call);
        return { account, arn, userId, clockOffsetMs };
      });
    },
    async findPath(identity) {
      const caller = callerOf(identity);
      if (caller === undefined || caller.path !== undefined) return caller?.path;
      try {
        const signed = { ...options, credentials: await baseCredentials.get(), endpoint: parts.iamEndpoint };
        const arn = await awsIdentity.getRoleArn(caller, signed, AbortSignal.timeout(timeoutMs));
        return /^arn:[^:]+:iam::\d{12}:role(\/(?:[!-.0-~]+\/)*)[^/]+$/.exec(arn ?? "")?.[1];
      } catch {
        // It makes for a shorter statement, and is worth no failure.
        return undefined;
      }
    },
  };
}
