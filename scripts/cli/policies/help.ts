export const HELP = `Prints the four policies that two accounts need, or checks those that they have.

  cross-account-secrets policies --role-arn <arn> --caller-role-arn <arn> --secret <name> --region <region> [more]
  cross-account-secrets policies --check <file>… [the same options]

Account A, which owns the secret:
  --role-arn          the role that reads it; or --account-a and --role-name
  --secret            name or ARN; several: comma separated, or given several times
  --parameter         the same for Parameter Store
  --region            where they are; default: that of an ARN, else AWS_REGION
  --key-arn           their customer-managed KMS key, if they have one

Account B, which has the function:
  --caller-role-arn   its role, with its path, or a session of it; or --account-b and --caller-role-name
  --principal         whom the trust policy names: role, or account, with a condition on the role, which AWS takes before
                      the role exists; default: role, where its path is told by an ARN or in front of its name

What the trust policy may ask for:
  --organization-id   the organization that the caller must belong to
  --external-id       what CROSS_ACCOUNT_SECRETS_EXTERNAL_ID is set to
  --session-tags      CROSS_ACCOUNT_SECRETS_SESSION_TAGS is set
  --source-identity   CROSS_ACCOUNT_SECRETS_SOURCE_IDENTITY is set

  --partition         aws, aws-cn, aws-us-gov; default: that of the ARNs, else the region's
  --account           a or b: what is for this account alone
  --format            json, cloudformation, terraform or cli. Without it a terminal gets a heading for each document, and a
                      pipe one JSON object: trustPolicy, permissionsPolicy, keyPolicy, callerPolicy
  --check             reads documents (JSON, as written or as the AWS CLI prints them), and tells by their content which of
                      the four each is. One line for each finding: missing, too wide or note; --format json for programs
  --help              this text

Ends with 0; with 1 where --check finds more than notes; with 2 for wrong arguments.`;
