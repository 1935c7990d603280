import type { AwsCall } from "../../extension/failure/aws-error.ts";
import { REGION, TARGET_ROLE_ARN } from "./values.ts";

/** A call of each operation, as a failure describes it. */
export const AWS_CALLS = {
  AssumeRole: { operation: "AssumeRole", roleArn: TARGET_ROLE_ARN, region: REGION },
  GetCallerIdentity: { operation: "GetCallerIdentity", roleArn: TARGET_ROLE_ARN, region: REGION },
  GetSecretValue: { operation: "GetSecretValue", roleArn: TARGET_ROLE_ARN, region: REGION, id: "app/db" },
  GetParameter: { operation: "GetParameter", roleArn: TARGET_ROLE_ARN, region: REGION, id: "/app/flag" },
} as const satisfies Record<AwsCall["operation"], AwsCall>;
