/** The requests of a random life, and what each means to AWS. */
import type { ParameterQuery } from "../../../extension/values/parameter.ts";
import { inRegion, type SecretQuery } from "../../../extension/values/secret.ts";
import { REGION } from "../values.ts";
import { type Life, type LifeSettings, type RequestChoice, ROLES, type ValueKind } from "./life.ts";

const OTHER_REGION = "eu-central-1";
const ACCOUNTS = ROLES.map((role) => role.split(":")[4] ?? "");

export interface Meaning {
  readonly kind: ValueKind;
  readonly name: string;
  readonly accountId: string;
  readonly region: string;
  /** A whole ARN names one secret. After that is deleted and created again, it names none. */
  readonly generation: number | undefined;
}

export interface LifeRequest extends Meaning {
  readonly id: string;
  /** What a secret is asked for with, and what a parameter is. */
  readonly query: SecretQuery & ParameterQuery;
  readonly roleArn: string | undefined;
  /** The source that reads it; undefined if the request does not tell which. */
  readonly source: number | undefined;
  readonly form: string;
  readonly isAllowed: boolean;
}

const secretForms: readonly Omit<SecretQuery, "secretId">[] = [
  {},
  { versionStage: "AWSCURRENT" },
  { versionStage: "AWSPREVIOUS" },
  { versionId: "v1" },
  { versionId: "v1", versionStage: "AWSCURRENT" },
];
const parameterForms: readonly Omit<ParameterQuery, "parameterId">[] = [
  { withDecryption: true },
  { withDecryption: false },
  { withDecryption: true, selector: "1" },
];

/**
 * Two queries with one id may share a value if their forms are the same. AWS tells a request for the stage AWSCURRENT from
 * a plain one, because a policy may allow only one of them.
 */
export const toSecretForm = ({ versionId = "", versionStage = "" }: Partial<SecretQuery>): string =>
  `${versionId} ${versionStage}`;
export const toParameterForm = ({ selector = "", withDecryption }: Omit<ParameterQuery, "parameterId">): string =>
  `${selector} ${withDecryption}`;
export const PLAIN_FORM = toSecretForm({});

/** The six random characters of a secret that was created again so many times. */
export const toSuffix = (generation: number): string => `Gen${String(generation).padStart(3, "0")}`;

/** What a source may be asked for, if that is configured. */
export const toConfiguredIds = (source: number): readonly string[] => ["my", toArn("secret", "other", source, REGION)];
export const configuredParameters = ["/my/flag"];

/** The same secret, for an id in whichever region. */
export const toIdAnywhere = (id: string): string => inRegion(id, "anywhere");

export const toLifeRequests = ({ settings, subjects, forms, requests }: Life): readonly LifeRequest[] =>
  requests.map((choice) => {
    const { kind, name } = subjects[choice.subject % subjects.length] ?? { kind: "secret", name: "my" };
    const chosen = settings.sources === 1 ? 0 : choice.source;
    const idKind = toIdKind(kind, name, choice.id, settings);
    const isArn = idKind !== "name";
    const account = isArn && choice.isForeign ? 1 - chosen : chosen;
    const region = isArn && choice.isInOtherRegion ? OTHER_REGION : REGION;
    const arn = toArn(kind, name, account, region) + (idKind === "arn" ? `-${toSuffix(choice.generation)}` : "");
    const id = isArn ? arn : name;
    // Without a role, an ARN tells the account. A bare name may be that of either source's secret.
    const byId = settings.sources === 1 ? 0 : isArn ? account : undefined;
    const source = choice.givesRole ? chosen : byId;
    const isAtHome = source === undefined || (account === source && region === REGION);
    const isConfigured = kind === "parameter" ? configuredParameters.includes(name) : ["my", "other"].includes(name);
    const nthForm = forms[choice.form % forms.length] ?? 0;
    const secretForm = secretForms[nthForm % secretForms.length] ?? {};
    const parameterForm = parameterForms[nthForm % parameterForms.length] ?? { withDecryption: true };
    return {
      kind,
      name,
      accountId: ACCOUNTS[account] ?? "",
      region,
      generation: idKind === "arn" ? choice.generation : undefined,
      id,
      query: { secretId: id, ...secretForm, parameterId: id, ...parameterForm },
      roleArn: choice.givesRole ? ROLES[chosen] : undefined,
      source,
      form: kind === "secret" ? toSecretForm(secretForm) : toParameterForm(parameterForm),
      isAllowed: !settings.isConfigured || (isConfigured && isAtHome),
    };
  });

/** What the prefetch asks for. */
export const toPrefetched = ({ sources }: LifeSettings): readonly (Meaning & { readonly id: string })[] =>
  Array.from({ length: sources }, (_, source) =>
    [...toConfiguredIds(source), ...configuredParameters].map((id) => ({
      kind: id.startsWith("/") ? ("parameter" as const) : ("secret" as const),
      id,
      name: id.split(":").at(-1) ?? "",
      accountId: ACCOUNTS[source] ?? "",
      region: REGION,
      generation: undefined,
    })),
  ).flat();

function toArn(kind: ValueKind, name: string, account: number, region: string): string {
  const [service, resource] =
    kind === "secret" ? ["secretsmanager", `secret:${name}`] : ["ssm", `parameter/${name.replace(/^\//, "")}`];
  return `arn:aws:${service}:${region}:${ACCOUNTS[account]}:${resource}`;
}

/** A parameter's ARN has no random characters. The end of `my-abcdef` looks like them. */
function toIdKind(kind: ValueKind, name: string, id: RequestChoice["id"], { ids }: LifeSettings): RequestChoice["id"] {
  if (ids === "names" || (ids === "clear" && name === "my-abcdef")) return "name";
  return kind === "parameter" && id === "arn" ? "partial arn" : id;
}
