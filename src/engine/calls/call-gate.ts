import type { Parked } from '../parked.ts';
import type { Origin } from '../../messages/origin.ts';
import type { CallDraft } from '../ledger/stored-call.ts';

/*
 * What stands between a request to a model and its reservation: circuit breaker, limits, retry budget. Each is a gate;
 * a request passes them in order, and those it has passed learn how it ended. A gate that cannot let it through
 * throws `Parked`.
 */

/** A request that is about to be reserved. */
export interface GateQuestion extends Pick<
  CallDraft,
  'provider' | 'model' | 'operation' | 'step' | 'attempt'
> {
  /** Empty outside a stage. */
  readonly stage: string;
  readonly origin: Origin;
  readonly maxInputTokens: number;
  readonly maxOutputTokens: number;
  /** About how many tokens its input has. */
  readonly estimateTokens?: () => number | Promise<number>;
  /** Ends every wait: the lease has expired, the handler's time is over, the user gave up. */
  readonly signal: AbortSignal;
}

/** How a request ended that had passed. */
export type GateEnd =
  | { readonly kind: 'not_sent' }
  | {
      readonly kind: 'sent';
      /** The kind of failure, as the metrics name it; undefined for a whole answer. */
      readonly failure: string | undefined;
      readonly retryAfterMs: number | undefined;
      /** The provider's response headers, lower case. */
      readonly headers: Readonly<Record<string, string | undefined>> | undefined;
      /** All tokens together, as reported or counted; undefined when nobody knows. */
      readonly tokens: number | undefined;
      readonly durationMs: number;
    };

/** Leave to make one request. `end` is called once, whatever happens. */
export interface GatePass {
  end(end: GateEnd): void;
  /** What happens to the work instead of counting the failure against it: the request was the gate's own trial. */
  parkedBy?(failure: string): Parked | undefined;
}

/** One condition on requests to models. */
export interface CallGate {
  /** Lets the request through, at once or after a short wait; throws `Parked` when the wait would be long. */
  enter(question: GateQuestion): Promise<GatePass | undefined>;
}

/** Passes the gates in order; when one refuses, those already passed learn that nothing was sent. */
export async function passGates(gates: readonly CallGate[], question: GateQuestion): Promise<GatePass> {
  const passes: GatePass[] = [];
  let hasEnded = false;
  const all: GatePass = {
    end: (end) => {
      if (hasEnded) return;
      hasEnded = true;
      for (const pass of passes) pass.end(end);
    },
    parkedBy: (failure) => {
      for (const pass of passes) {
        const parked = pass.parkedBy?.(failure);
        if (parked !== undefined) return parked;
      }
      return undefined;
    },
  };
  try {
    for (const gate of gates) {
      const pass = await gate.enter(question);
      if (pass !== undefined) passes.push(pass);
    }
    return all;
  } catch (error) {
    all.end({ kind: 'not_sent' });
    throw error;
  }
}
