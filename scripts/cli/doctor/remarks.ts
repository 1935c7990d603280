import type { LogFields, Logger } from "../../../extension/logger.ts";

/** What of the layer's log a person wants to know of a step that went well; its other lines come back as failures, or are the chain itself. */
const texts: Readonly<Record<string, (fields: LogFields) => string>> = {
  "session-policy-left-out": ({ reason }) => `no session policy was sent: ${reason}`,
  failover: ({ region, code }) => `this is the replica's, in ${region}: the secret's own region fails (${code})`,
};

export interface Remarks {
  readonly logger: Logger;
  /** Those since it was last asked for. */
  take(): readonly string[];
}

export function createRemarks(): Remarks {
  const remarks: string[] = [];
  const hear = (event: string, fields: LogFields = {}) => {
    const text = texts[event]?.(fields);
    if (text !== undefined) remarks.push(text);
  };
  return { logger: { debug: hear, info: hear, warn: hear, error: hear }, take: () => remarks.splice(0) };
}
