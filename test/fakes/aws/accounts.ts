import type { PolicyDocument } from "./policies.ts";

/** The settings of an account, and what an organization makes of it. */
export interface AccountOptions {
  readonly organizationId?: string;
  /** Default: none, as outside an organization. In one, AWS attaches one that allows everything. */
  readonly serviceControlPolicies?: readonly PolicyDocument[];
  /** Where its roles cannot be assumed, because STS is not activated. Default: nowhere. */
  readonly regionsWithoutSts?: readonly string[];
}

export type EndpointService = "sts" | "secretsmanager" | "ssm";

/** The accounts, and the VPC endpoints by which the function reaches AWS. */
export interface Accounts {
  changeAccount(account: string, changes: AccountOptions): void;
  changeEndpoint(service: EndpointService, policy: PolicyDocument | undefined): void;
  find(account: string): AccountOptions;
  /** Of the endpoint that a request for this action comes by. */
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
    find: (account) => accounts.get(account) ?? {},
    findEndpointPolicy: (action) => endpoints.get(action.split(":")[0] ?? ""),
  };
}
