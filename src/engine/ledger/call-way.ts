/**
 * By which way a call came into the ledger. `stage`: a metered model made it, in a stage or in code beside one; `gateway`: the gateway passed it
 * on; `otlp`: a span told it; `event`: a usage event told it. The last two were made elsewhere: the ledger learnt them afterwards.
 */
export const callWays = ['stage', 'gateway', 'otlp', 'event'] as const;

export type CallWay = (typeof callWays)[number];

/** As rows keep it, null being the way of nearly all calls. */
export function callWayOf(text: string | null): CallWay {
  return callWays.find((way) => way === text) ?? 'stage';
}
