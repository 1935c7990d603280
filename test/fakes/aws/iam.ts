import { randomBytes } from "node:crypto";
import { mapPrincipals, type PolicyDocument } from "./policies.ts";
import type { SessionPolicy } from "./session-policy.ts";

/** A role of the fake: its policies or, in a fake without a policy engine, lists that stand for them. */
export interface RoleOptions {
  /** `arn:aws:iam::111111111111:role/path/name` */
  readonly arn: string;
  /** Who may assume it: ARNs of roles, of role sessions, or of account roots. Default: nobody. */
  readonly trusts?: readonly string[];
  /** The external ID that its trust policy demands. Default: none. */
  readonly externalId?: string | undefined;
  /** What its own policy lets it assume: ARNs of roles. Default: any. */
  readonly assumableRoles?: "any" | readonly string[];
  /**
   * The secrets of its account that its own policy lets it read, by name, in any region. A name stands for the policy resource
   * `…:secret:<name>-??????`, so of a name that does not exist AWS says that it is denied. Default: none.
   */
  readonly readableSecrets?: "any" | readonly string[];
  /** The parameters of its account that its own policy lets it read, by name, in any region. Default: none. */
  readonly readableParameters?: "any" | readonly string[];
  /** The KMS keys that it may decrypt with, by the `kmsKey` of a secret or parameter. Default: any. */
  readonly usableKeys?: "any" | readonly string[];
  /** In a fake with a policy engine. Default: it trusts nobody. */
  readonly trustPolicy?: PolicyDocument;
  /** Its own, in a fake with a policy engine. Default: none. */
  readonly policies?: readonly PolicyDocument[];
  /** In a fake with a policy engine. Default: none. */
  readonly permissionsBoundary?: PolicyDocument | undefined;
  /** No feature of AWS: how long its sessions last, whatever was asked for; for tests of renewal. Default: as asked. */
  readonly sessionLifeSeconds?: number | undefined;
}

/** What `changeRole` may change. */
export type RoleChanges = Omit<RoleOptions, "arn">;

export interface Role extends Required<RoleOptions> {
  readonly partition: string;
  readonly account: string;
  /** Without the path. */
  readonly name: string;
  /** `AROA…`; another one if the role is deleted and created again. */
  readonly id: string;
}

/** The credentials of a role session, as they stand in a function's environment. */
export interface SessionCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
}

export interface Session extends SessionCredentials {
  /** `arn:aws:sts::111111111111:assumed-role/name/session` */
  readonly arn: string;
  readonly userId: string;
  readonly roleArn: string;
  readonly roleId: string;
  readonly partition: string;
  readonly account: string;
  readonly expiresAtMs: number;
  readonly revoked: boolean;
  /** What AssumeRole was given: nothing is allowed that it does not allow too. */
  readonly policy: SessionPolicy | undefined;
}

/** Roles and the sessions of them. */
export interface Iam {
  createRole(options: RoleOptions): void;
  changeRole(arn: string, changes: RoleChanges): void;
  deleteRole(arn: string): void;
  findRole(arn: string): Role | undefined;
  issueSession(role: Role, sessionName: string, durationSeconds: number, policy?: SessionPolicy): Session;
  /** The session and its role, unless the role was deleted since. */
  findSession(accessKeyId: string): { readonly session: Session; readonly role: Role } | undefined;
  revokeSessions(roleArn: string): void;
  /** Of all that were ever issued. */
  listCredentials(): SessionCredentials[];
}

const ROLE_ARN = /^arn:(aws[-a-z]*):iam::(\d{12}):role\/(?:.+\/)?([^/]+)$/;

export function createIam(now: () => number): Iam {
  const roles = new Map<string, Role>();
  const sessions = new Map<string, Session>();

  const expectRole = (arn: string): Role => {
    const role = roles.get(arn);
    if (role === undefined) throw new Error(`fake AWS: there is no role ${arn}`);
    return role;
  };

  return {
    createRole(options) {
      if (roles.has(options.arn)) throw new Error(`fake AWS: there is a role ${options.arn} already`);
      const [, partition, account, name] = ROLE_ARN.exec(options.arn) ?? [];
      if (!partition || !account || !name) throw new Error(`fake AWS: ${options.arn} is no ARN of a role`);
      const defaults = {
        trusts: [],
        externalId: undefined,
        assumableRoles: "any",
        readableSecrets: [],
        readableParameters: [],
        usableKeys: "any",
        trustPolicy: { Version: "2012-10-17", Statement: [] },
        policies: [],
        permissionsBoundary: undefined,
        sessionLifeSeconds: undefined,
      } as const;
      roles.set(options.arn, {
        ...defaults,
        ...options,
        partition,
        account,
        name,
        id: `AROA${randomText(17, BASE_32)}`,
      });
    },
    changeRole(arn, changes) {
      roles.set(arn, { ...expectRole(arn), ...changes });
    },
    deleteRole(arn) {
      const { id } = expectRole(arn);
      roles.delete(arn);
      // Whoever trusted it trusts no later one of that name:
      // https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html#principal-roles
      for (const [key, role] of roles) {
        const trustPolicy = mapPrincipals(role.trustPolicy, (principal) => (principal === arn ? id : principal));
        roles.set(key, { ...role, trustPolicy });
      }
    },
    findRole: (arn) => roles.get(arn),
    issueSession(role, sessionName, durationSeconds, policy) {
      const lifeSeconds = role.sessionLifeSeconds ?? durationSeconds;
      const session: Session = {
        accessKeyId: `ASIA${randomText(16, BASE_32)}`,
        secretAccessKey: randomBytes(30).toString("base64"),
        // Of about the length of a real one: https://docs.aws.amazon.com/STS/latest/APIReference/API_Credentials.html says below 4096.
        sessionToken: randomBytes(720).toString("base64"),
        arn: `arn:${role.partition}:sts::${role.account}:assumed-role/${role.name}/${sessionName}`,
        userId: `${role.id}:${sessionName}`,
        roleArn: role.arn,
        roleId: role.id,
        partition: role.partition,
        account: role.account,
        // STS tells `Expiration` in whole seconds.
        expiresAtMs: Math.floor(now() / 1000 + lifeSeconds) * 1000,
        revoked: false,
        policy,
      };
      sessions.set(session.accessKeyId, session);
      return session;
    },
    findSession(accessKeyId) {
      const session = sessions.get(accessKeyId);
      const role = session && roles.get(session.roleArn);
      return session && role?.id === session.roleId ? { session, role } : undefined;
    },
    revokeSessions(roleArn) {
      expectRole(roleArn);
      for (const [accessKeyId, session] of sessions) {
        if (session.roleArn === roleArn) sessions.set(accessKeyId, { ...session, revoked: true });
      }
    },
    listCredentials: () => [...sessions.values()],
  };
}

const BASE_32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/** Unguessable, out of the letters of an alphabet. */
export function randomText(length: number, alphabet: string): string {
  return Array.from(randomBytes(length), (byte) => alphabet.charAt(byte % alphabet.length)).join("");
}
