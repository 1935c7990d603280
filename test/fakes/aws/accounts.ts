import type { PolicyDocument } from "./policies.ts";
import type { AwsService } from "./wire.ts";

/** The settings of an account, and of its organization. */
export interface AccountOptions {
  readonly organizationId?: string;
  /** Default: none, as outside an organization. In an organization, AWS attaches one that allows everything. */
  readonly serviceControlPolicies?: readonly PolicyDocument[];
  /** The regions in which its roles cannot be assumed, because STS is not activated there. Default: none. */
  readonly regionsWithoutSts?: readonly string[];
}

/** The accounts, and the VPC endpoints through which the function reaches AWS. */
export interface Accounts {
  /** An account is in no organization unless this sets one. */
  changeAccount(account: string, changes: AccountOptions): void;
  /** From now on, requests to the service use a VPC endpoint with this policy. Undefined: they use no endpoint. */
  changeEndpoint(service: AwsService, policy: PolicyDocument | undefined): void;
  findAccount(account: string): AccountOptions;
  /** The policy of the endpoint that a request for this action uses. */
  findEndpointPolicy(action: string): PolicyDocument | undefined;
}

export function createAccounts(): Accounts {
  const accounts = new Map<string, AccountOptions>();
  const endpoints = new Map<string, PolicyDocument>();
  return {
    changeAccount: (account, changes) => void accounts.set(account, { ...accounts.get(account), ...changes }),
    changeEndpoint(service, policy) {
      if (policy === undefined) endpoints.delete(service);
      else endpoints.set(service, policy);
    },
    findAccount: (account) => accounts.get(account) ?? {},
    findEndpointPolicy: (action) => endpoints.get(action.split(":")[0] ?? ""),
  };
}
