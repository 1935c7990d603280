import { createDeferred, type Deferred } from "./deferred.ts";

/** An HTTP response. The body is sent as JSON. */
export interface LambdaReply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

/** An immediate answer or, for a `next`, one that comes with the next event. */
export type LambdaAnswer = LambdaReply | { readonly blocked: Promise<LambdaReply> };

/** An error in Lambda's format. */
export function toLambdaError(errorType: string, errorMessage: string, status = 403): LambdaReply {
  return { status, body: { errorMessage, errorType } };
}

/** The blocking `next` call of an extension or runtime. It waits until an event is delivered. */
export interface NextCall {
  /** Settles as soon as a call waits. */
  arrived(): Promise<void>;
  /** Answers a call that arrives. */
  wait(): LambdaAnswer;
  /** Answers the waiting call. */
  deliver(event: LambdaReply): void;
}

/** Makes a `next` that is not called yet. */
export function createNextCall(): NextCall {
  let arrival: Deferred<void> = createDeferred();
  let delivery: Deferred<LambdaReply> = createDeferred();
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
