import { createDeferred, type Deferred } from "./deferred.ts";

/** What is sent back over HTTP; the body is sent as JSON. */
export interface Reply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

/** An answer at once, or, to a `next`, one that comes with the next event. */
export type Answer = Reply | { readonly blocked: Promise<Reply> };

/** A refusal in Lambda's shape. */
export function refuse(errorType: string, errorMessage: string, status = 403): Reply {
  return { status, body: { errorMessage, errorType } };
}

/** The one blocking `next` call of an extension or runtime: it waits here until an event is delivered. */
export interface NextCall {
  /** Settles as soon as a call waits. */
  arrived(): Promise<void>;
  /** A call that arrives. */
  wait(): Answer;
  /** Answers the waiting call. */
  deliver(event: Reply): void;
}

/** Makes a `next` that nobody has called yet. */
export function createNextCall(): NextCall {
  let arrival: Deferred<void> = createDeferred();
  let delivery: Deferred<Reply> = createDeferred();
  return {
    arrived: () => arrival.promise,
    wait() {
      arrival.resolve();
      return { blocked: delivery.promise };
    },
    deliver(event) {
      delivery.resolve(event);
      arrival = createDeferred();
      delivery = createDeferred();
    },
  };
}
