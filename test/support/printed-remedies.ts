/** Applies a printed remedy, like a person with access to both accounts. */
import type { MissingStatement } from "../../extension/failure/policy-remedies.ts";
import type { PolicyDocument } from "../fakes/aws.ts";
import { toPolicy } from "./policy-documents.ts";
import { REGION, TARGET_ROLE_ARN, type TwoAccounts } from "./two-accounts.ts";

/** The remedy in an answer of the extension. */
export interface PrintedRemedy {
  readonly remedy: string;
  readonly statements?: readonly MissingStatement[];
}

/** Puts each statement into the policy that it is printed for. */
export function paste(accounts: TwoAccounts, statements: readonly MissingStatement[]): void {
  for (const { policy, of, statement } of statements) {
    const { document, put } = PLACES[policy](accounts, of);
    put(toPolicy(...(document?.Statement ?? []), { ...statement }));
  }
}

const DENIALS: readonly (readonly [RegExp, keyof typeof PLACES])[] = [
  [/ in a policy of (.*?)(?:, or | matches)/, "identity-policy"],
  [/ the permissions boundary of (.*?) matches/, "permissions-boundary"],
  [/ a service control policy (.*?) matches/, "service-control-policy"],
  [/ the trust policy of (.*?) matches/, "trust-policy"],
  [/ the resource policy of (.*?), or of its KMS key matches/, "resource-policy"],
];

/** Removes each `Deny` from the printed policies. */
export function removeDenials(accounts: TwoAccounts, remedy: string): void {
  const places = DENIALS.flatMap(([words, policy]) => {
    const of = words.exec(remedy)?.[1];
    return of === undefined ? [] : [PLACES[policy](accounts, of)];
  });
  if (places.length === 0) throw new Error(`the remedy names no policy to remove a denial from: ${remedy}`);
  for (const { document, put } of places) {
    put(toPolicy(...(document?.Statement ?? []).filter(({ Effect }) => Effect === "Allow")));
  }
}

/** A policy, or several that apply together, and a function that replaces it. */
interface PolicyPlace {
  readonly document: PolicyDocument | undefined;
  readonly put: (document: PolicyDocument) => void;
}

const merge = (documents: readonly PolicyDocument[] = []) =>
  toPolicy(...documents.flatMap(({ Statement }) => Statement));

const PLACES = {
  "trust-policy": ({ aws }, of) => ({
    document: aws.findRole(of)?.trustPolicy,
    put: (trustPolicy) => aws.changeRole(of, { trustPolicy }),
  }),
  "identity-policy": (accounts, of) => {
    const arn = findRoleArn(accounts, of);
    return {
      document: merge(accounts.aws.findRole(arn)?.policies),
      put: (policy) => accounts.aws.changeRole(arn, { policies: [policy] }),
    };
  },
  "permissions-boundary": (accounts, of) => {
    const arn = findRoleArn(accounts, of);
    return {
      document: accounts.aws.findRole(arn)?.permissionsBoundary,
      put: (permissionsBoundary) => accounts.aws.changeRole(arn, { permissionsBoundary }),
    };
  },
  "service-control-policy": (accounts, of) => {
    const account = findRoleArn(accounts, of).split(":")[4] ?? "";
    return {
      document: merge(accounts.aws.findAccount(account).serviceControlPolicies),
      put: (policy) => accounts.aws.changeAccount(account, { serviceControlPolicies: [policy] }),
    };
  },
  // The endpoint that has a policy. The remedy does not name its service, but the person who made the policy knows it.
  "vpc-endpoint-policy": ({ aws }) => {
    const service = (["sts", "secretsmanager", "ssm"] as const).find((name) => aws.findEndpointPolicy(`${name}:any`));
    if (service === undefined) throw new Error("no VPC endpoint has a policy");
    return {
      document: aws.findEndpointPolicy(`${service}:any`),
      put: (policy) => aws.changeEndpoint(service, policy),
    };
  },
  "resource-policy": ({ aws }, of) => {
    const { arn = "", resourcePolicy } = aws.findSecret(of, "111111111111", REGION) ?? {};
    return { document: resourcePolicy, put: (policy) => aws.changeSecret(arn, { resourcePolicy: policy }) };
  },
  "key-policy": ({ aws }, of) => {
    const id = of.replace("the KMS key of ", "");
    const parameter = aws.findParameter(`arn:aws:ssm:${REGION}:111111111111:parameter${id}`);
    const { kmsKey = "" } = aws.findSecret(id, "111111111111", REGION) ?? parameter ?? {};
    return { document: aws.findKey(kmsKey)?.policy, put: (policy) => aws.changeKey(kmsKey, { policy }) };
  },
} satisfies Record<MissingStatement["policy"], (accounts: TwoAccounts, of: string) => PolicyPlace>;

/** Finds the role for a text that ends in its ARN, or in `the role my-lambda-role of account 222222222222`. */
function findRoleArn({ functionRoleArn }: TwoAccounts, of: string): string {
  const arn = [functionRoleArn, TARGET_ROLE_ARN].find((candidate) => {
    const [account, name] = [candidate.split(":")[4], candidate.split("/").at(-1)];
    return of.endsWith(candidate) || of.endsWith(`the role ${name} of account ${account}`);
  });
  if (arn === undefined) throw new Error(`no role matches ${of}`);
  return arn;
}
