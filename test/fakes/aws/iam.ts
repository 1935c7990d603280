import { randomBytes } from "node:crypto";
import { mapPrincipals, type PolicyDocument } from "./policies.ts";
import type { SessionPolicy } from "./session-policy.ts";

/** A role: its policies or, in a fake without a policy engine, lists that replace them. */
export interface RoleOptions {
  /** `arn:aws:iam::111111111111:role/path/name` */
  readonly arn: string;
  /** The principals that may assume it: ARNs of roles, of role sessions, or of account roots. Default: none. */
  readonly trusts?: readonly string[];
  /** The external ID that its trust policy requires. Default: none. */
  readonly externalId?: string | undefined;
  /** The roles that its own policy allows it to assume, by ARN. Default: any. */
  readonly assumableRoles?: "any" | readonly string[];
  /**
   * The secrets of its account that its own policy allows it to read, by name, in any region. A name means the policy resource
   * `…:secret:<name>-??????`, so AWS answers "denied" for a name that does not exist. Default: none.
   */
  readonly readableSecrets?: "any" | readonly string[];
  /** The parameters of its account that its own policy allows it to read, by name, in any region. Default: none. */
  readonly readableParameters?: "any" | readonly string[];
  /** The KMS keys that it may use to decrypt, by the `kmsKey` of a secret or parameter. Default: any. */
  readonly usableKeys?: "any" | readonly string[];
  /** For a fake with a policy engine. Default: it trusts no principal. */
  readonly trustPolicy?: PolicyDocument;
  /** Its own policies, for a fake with a policy engine. Default: none. */
  readonly policies?: readonly PolicyDocument[];
  /** For a fake with a policy engine. Default: none. */
  readonly permissionsBoundary?: PolicyDocument | undefined;
  /** Not a feature of AWS, but for tests of renewal: its sessions last this long, whatever was requested. Default: as requested. */
  readonly sessionLifeSeconds?: number | undefined;
  /** The size of a session token without session policy and tags. Default: 960, about what a real one has. */
  readonly sessionTokenBytes?: number;
}

/** What `changeRole` may change. */
export type RoleChanges = Omit<RoleOptions, "arn">;

export interface Role extends Required<RoleOptions> {
  readonly partition: string;
  readonly account: string;
  /** The name without the path. */
  readonly name: string;
  /** `AROA…`. A role that is deleted and created again gets another id. */
  readonly id: string;
}

/** The credentials of a role session. A function has them in its environment. */
export interface SessionCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
}

export interface RoleSession extends SessionCredentials {
  /** `arn:aws:sts::111111111111:assumed-role/name/session` */
  readonly arn: string;
  readonly userId: string;
  readonly roleArn: string;
  readonly roleId: string;
  readonly partition: string;
  readonly account: string;
  readonly expiresAtMs: number;
  readonly revoked: boolean;
  /** The session policy that AssumeRole got. An action must be allowed by it, too. */
  readonly policy: SessionPolicy | undefined;
}

/** The roles and their sessions. */
export interface Iam {
  createRole(options: RoleOptions): void;
  /** Sessions that were issued before remain valid, with the changed permissions. */
  changeRole(arn: string, changes: RoleChanges): void;
  /** Its sessions are unknown from then on, also if the role is created again. */
  deleteRole(arn: string): void;
  findRole(arn: string): Role | undefined;
  issueSession(session: {
    readonly role: Role;
    readonly sessionName: string;
    readonly durationSeconds: number;
    readonly tokenBytes: number;
    readonly policy?: SessionPolicy | undefined;
  }): RoleSession;
  /** Returns the session and its role, or undefined if the role was deleted since. */
  findSession(accessKeyId: string): { readonly session: RoleSession; readonly role: Role } | undefined;
  /** Denies everything to all sessions of the role that were issued before, as the console's "Revoke active sessions" does. */
  revokeSessions(roleArn: string): void;
  /** The credentials of every session ever issued, so that a test can search its outputs for them. */
  listCredentials(): SessionCredentials[];
}

const ROLE_ARN = /^arn:(aws[-a-z]*):iam::(\d{12}):role\/(?:.+\/)?([^/]+)$/;

export function createIam(now: () => number): Iam {
  const roles = new Map<string, Role>();
  const sessions = new Map<string, RoleSession>();

  const expectRole = (arn: string): Role => {
    const role = roles.get(arn);
    if (role === undefined) throw new Error(`fake AWS: there is no role ${arn}`);
    return role;
  };

  return {
    createRole(options) {
      if (roles.has(options.arn)) throw new Error(`fake AWS: role ${options.arn} already exists`);
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
        sessionTokenBytes: 960,
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
      // A trust policy that names the deleted role does not trust a later role of that name:
      // https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html#principal-roles
      for (const [key, role] of roles) {
        const trustPolicy = mapPrincipals(role.trustPolicy, (principal) => (principal === arn ? id : principal));
        roles.set(key, { ...role, trustPolicy });
      }
    },
    findRole: (arn) => roles.get(arn),
    issueSession({ role, sessionName, durationSeconds, tokenBytes, policy }) {
      const lifeSeconds = role.sessionLifeSeconds ?? durationSeconds;
      const session: RoleSession = {
        accessKeyId: `ASIA${randomText(16, BASE_32)}`,
        secretAccessKey: randomBytes(30).toString("base64"),
        sessionToken: randomBytes(tokenBytes).toString("base64").slice(0, tokenBytes),
        arn: `arn:${role.partition}:sts::${role.account}:assumed-role/${role.name}/${sessionName}`,
        userId: `${role.id}:${sessionName}`,
        roleArn: role.arn,
        roleId: role.id,
        partition: role.partition,
        account: role.account,
        // STS answers `Expiration` in whole seconds.
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

/** Returns random letters of an alphabet. */
export function randomText(length: number, alphabet: string): string {
  return Array.from(randomBytes(length), (byte) => alphabet.charAt(byte % alphabet.length)).join("");
}
