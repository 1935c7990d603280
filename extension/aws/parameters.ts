import type { DeadlineEpochMs } from "../cache/deadline.ts";
import type { AwsCredentials } from "../config/aws-environment.ts";
import type { Config } from "../config/config.ts";
import type { AwsCall } from "../failure/aws-error.ts";
import { diagnose } from "../failure/diagnosis.ts";
import type { Logger } from "../logger.ts";
import type { Counters } from "../metrics.ts";
import { type ParameterQuery, type ParameterValue, toParameterRegion } from "../values/parameter.ts";
import type { Source } from "../values/source.ts";
import type { AwsCaller } from "./call.ts";
import type * as AwsSsm from "./sdk-ssm.ts";
import { asRole, type RoleCredentials } from "./session.ts";

export interface ParameterStore {
  /** Calls GetParameter as the target role. Fails with a Failure only, at the deadline at the latest. */
  getParameter(query: ParameterQuery, deadlineEpochMs: DeadlineEpochMs): Promise<ParameterValue>;
}

export function createParameterStore(deps: {
  readonly source: Source;
  readonly config: Config;
  readonly credentials: RoleCredentials;
  readonly loadAwsSsm: () => Promise<typeof AwsSsm>;
  readonly callAws: AwsCaller;
  readonly version: string;
  readonly counters: Counters;
  readonly logger: Logger;
  readonly now: () => number;
}): ParameterStore {
  const { config, source, counters, logger, now } = deps;

  async function ask(query: ParameterQuery, credentials: AwsCredentials, deadlineEpochMs: DeadlineEpochMs) {
    const { parameterId, selector, withDecryption } = query;
    const region = toParameterRegion(parameterId) ?? source.region ?? config.aws.region;
    const call: AwsCall = { operation: "GetParameter", roleArn: source.roleArn, region, id: parameterId };
    const { endpoints, clientOptions } = config.aws;
    const awsSsm = await deps.loadAwsSsm();
    const startedAtEpochMs = now();
    const { requestId, ...value } = await deps.callAws(call, deadlineEpochMs, async (signal) => {
      counters.getParameterCalls += 1;
      const { Parameter, $metadata } = await awsSsm.getParameter(
        { Name: selector === undefined ? parameterId : `${parameterId}:${selector}`, WithDecryption: withDecryption },
        { ...clientOptions, region, credentials, endpoint: endpoints.ssm, version: deps.version },
        signal,
      );
      const { Name, Type, Value } = Parameter ?? {};
      // A reference to a binary secret has no Value, only a SourceResult.
      if (!Name || !Type || (Value === undefined && !Parameter?.SourceResult)) throw diagnose(undefined, call);
      return {
        requestId: $metadata.requestId,
        arn: Parameter?.ARN ?? "",
        name: Name,
        versionId: String(Parameter?.Version ?? 0),
        type: Type,
        dataType: Parameter?.DataType,
        lastModifiedDate: Parameter?.LastModifiedDate,
        selector: Parameter?.Selector,
        sourceResult: Parameter?.SourceResult,
        value: Value,
      };
    });
    const { versionId } = value;
    logger.info("parameter-fetched", { parameterId, versionId, requestId, ms: now() - startedAtEpochMs });
    return value;
  }

  return {
    getParameter: (query, deadlineEpochMs) =>
      asRole(deps.credentials, deadlineEpochMs, (credentials) => ask(query, credentials, deadlineEpochMs)),
  };
}
