/** What the inline policies are called, in whatever format. */
export const READ_POLICY_NAME = "read-secrets";
export const ASSUME_POLICY_NAME = "assume-target-role";
