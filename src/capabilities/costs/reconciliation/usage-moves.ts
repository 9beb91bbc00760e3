import { type BillMeter, billMeters, type MeterCounts } from './bill.ts';
import type { DifferenceCause } from './difference.ts';
import type { LedgerCall } from './ledger-usage.ts';

/*
 * Why a bill counts other tokens and requests than the ledger, for one model on one day. The difference of each tier is taken
 * apart into moves, each with a cause; they add up to it. Functions over values.
 */

/** Tokens by meter, and requests where they are counted. */
export interface Usage {
  readonly tokens: MeterCounts;
  readonly requests: number | undefined;
}

/** What bill and ledger say of one tier. */
export interface TierUsage {
  readonly tier: string;
  readonly bill: Usage;
  readonly ledger: Usage;
  /** Calls that the bill can know more about than the ledger. */
  readonly doubtful: readonly LedgerCall[];
}

/** A part of the difference of one tier. */
export interface UsageMove {
  readonly tier: string;
  readonly cause: DifferenceCause;
  /** Bill less ledger. */
  readonly tokens: MeterCounts;
  readonly requests: number | undefined;
  /** Calls that it is about, or can be about. */
  readonly calls: readonly LedgerCall[];
  /** The one call that it is about, for certain. */
  readonly proven?: LedgerCall;
}

/** Settled calls of a tier that used exactly these tokens. */
export type FindTwins = (tier: string, tokens: MeterCounts) => readonly LedgerCall[];

interface Rest {
  readonly tier: string;
  readonly ledger: Usage;
  readonly doubtful: readonly LedgerCall[];
  tokens: MeterCounts;
  requests: number | undefined;
}

/** Failures that the provider can bill though nothing came of them; what it refused at the door it does not. */
const billableFailures: ReadonlySet<string> = new Set([
  'overloaded',
  'server_error',
  'timeout',
  'network',
  'stream_cut',
  'malformed_answer',
  'answer_too_large',
  'stalled',
  'failed',
]);

/** The surpluses of single requests, whose twins decide whether one was billed twice. */
export function surplusesOf(
  tiers: readonly TierUsage[],
): readonly { readonly tier: string; readonly tokens: MeterCounts }[] {
  const { rests } = withoutTierMoves(tiers);
  return rests.filter(
    (rest) => signOf(rest) === 'more' && (rest.requests === undefined || rest.requests === 1),
  );
}

/** The moves of all tiers, in their order. */
export function movesOf(tiers: readonly TierUsage[], findTwins: FindTwins): readonly UsageMove[] {
  const { rests, moves } = withoutTierMoves(tiers);
  return [...moves, ...rests.flatMap((rest) => moveOf(rest, findTwins))];
}

/** What one tier lacks and another has too much is billed on another tier. */
function withoutTierMoves(tiers: readonly TierUsage[]): {
  readonly rests: Rest[];
  readonly moves: UsageMove[];
} {
  const rests = tiers.map(({ tier, bill, ledger, doubtful }): Rest => ({
    tier,
    ledger,
    doubtful,
    tokens: difference(bill.tokens, ledger.tokens),
    requests:
      bill.requests === undefined || ledger.requests === undefined
        ? undefined
        : bill.requests - ledger.requests,
  }));
  const moves: UsageMove[] = [];
  for (const lacking of rests) {
    if (signOf(lacking) !== 'less') continue;
    const other = rests.find((rest) => signOf(rest) === 'more' && holds(rest, lacking));
    if (other === undefined) continue;
    const { tokens, requests } = lacking;
    const back = negated(tokens);
    const requestsBack = requests === undefined ? undefined : -requests;
    moves.push(
      { tier: lacking.tier, cause: 'tier', tokens, requests, calls: [] },
      { tier: other.tier, cause: 'tier', tokens: back, requests: requestsBack, calls: [] },
    );
    other.tokens = difference(other.tokens, back);
    if (other.requests !== undefined && requestsBack !== undefined) other.requests -= requestsBack;
    lacking.tokens = {};
    if (requests !== undefined) lacking.requests = 0;
  }
  return { rests, moves };
}

function moveOf(rest: Rest, findTwins: FindTwins): readonly UsageMove[] {
  const { tier, tokens, requests } = rest;
  const sign = signOf(rest);
  if (sign === 'none') return [];
  const move = (cause: DifferenceCause, calls: readonly LedgerCall[] = []): readonly UsageMove[] => [
    { tier, cause, tokens, requests, calls },
  ];
  const estimated = rest.doubtful.filter(({ status }) => status === 'estimated');
  if (requests === 0 || sign === 'mixed') return otherTokens(rest, estimated, move);
  if (sign === 'less') {
    if (requests !== undefined && requests > 0) return move('several', rest.doubtful);
    // Without a count of requests, calls that are missing whole and estimates that were too high look alike.
    return requests === undefined && estimated.length > 0 && !isAll(rest)
      ? move('estimated', estimated)
      : move('not_billed');
  }
  return requests !== undefined && requests < 0
    ? move('several', rest.doubtful)
    : surplus(rest, findTwins, move);
}

type Move = (cause: DifferenceCause, calls?: readonly LedgerCall[]) => readonly UsageMove[];

/** As many requests, other tokens. */
function otherTokens(
  { requests, doubtful }: Rest,
  estimated: readonly LedgerCall[],
  move: Move,
): readonly UsageMove[] {
  if (requests !== undefined && requests !== 0) return move('several', doubtful);
  if (estimated.length === 0) return move('usage');
  const cancelled = estimated.filter(({ outcome }) => outcome === 'cancelled');
  return cancelled.length === estimated.length
    ? move('cancelled_but_billed', cancelled)
    : move('estimated', estimated);
}

/** Requests of the bill that the ledger knows nothing of, or calls of which it does not know that they were billed. */
function surplus(rest: Rest, findTwins: FindTwins, move: Move): readonly UsageMove[] {
  const { doubtful, requests, tier, tokens } = rest;
  const unsettled = doubtful.filter((call) => call.status === 'unsettled' && !isCancelled(call));
  const cancelled = doubtful.filter((call) => isCancelled(call) && call.status !== 'estimated');
  const failed = doubtful.filter(
    (call) => call.status === 'free' && !isCancelled(call) && billableFailures.has(call.errorType),
  );
  const kinds = [
    ['unsettled', unsettled],
    ['cancelled_but_billed', cancelled],
  ] as const;
  const open = unsettled.length + cancelled.length;
  const fits =
    kinds.find(([, calls]) => calls.length > 0 && calls.length === requests) ??
    kinds.find(([, calls]) => calls.length > 0 && calls.length >= (requests ?? 1));
  if (fits !== undefined) {
    const [cause, calls] = fits;
    const [only] = calls;
    // Nobody else can have caused it: no other open call, no failed one, and none that was settled for the very same and billed twice.
    const isAlone = open === 1 && failed.length === 0 && findTwins(tier, tokens).length === 0;
    const isProven = requests === 1 && isAlone && only?.status === 'unsettled';
    return move(cause, calls).map((one) => (isProven && only !== undefined ? { ...one, proven: only } : one));
  }
  if (open > 0) return move('several', [...unsettled, ...cancelled]);
  if (requests === undefined || requests === 1) {
    const twins = findTwins(tier, tokens);
    if (twins.length > 0) return move('billed_twice', twins);
  }
  if (failed.length > 0 && (requests === undefined || failed.length >= requests))
    return move('retry', failed);
  return failed.length > 0 ? move('several', failed) : move('not_through_millrace');
}

/** We broke it off, or its reader did. */
export function isCancelled({ outcome, errorType, status }: LedgerCall): boolean {
  return outcome === 'cancelled' || (errorType === 'aborted' && status !== 'settled');
}

/** The ledger has nothing of the tier that the bill has. */
function isAll({ ledger, tokens }: Rest): boolean {
  return metersOf(tokens).every((meter) => (ledger.tokens[meter] ?? 0) === -(tokens[meter] ?? 0));
}

type Sign = 'none' | 'more' | 'less' | 'mixed';

function signOf({ tokens }: Pick<Rest, 'tokens'>): Sign {
  const counts = metersOf(tokens).map((meter) => tokens[meter] ?? 0);
  const hasMore = counts.some((count) => count > 0);
  const hasLess = counts.some((count) => count < 0);
  if (hasMore && hasLess) return 'mixed';
  if (hasMore) return 'more';
  if (hasLess) return 'less';
  // A request without tokens costs nothing.
  return 'none';
}

/** Whether a surplus holds all that another tier lacks. */
function holds(rest: Rest, lacking: Rest): boolean {
  const meters = metersOf({ ...rest.tokens, ...lacking.tokens });
  const hasTokens = meters.every((meter) => (rest.tokens[meter] ?? 0) >= -(lacking.tokens[meter] ?? 0));
  const hasRequests =
    rest.requests === undefined || lacking.requests === undefined || rest.requests >= -lacking.requests;
  return hasTokens && hasRequests;
}

function metersOf(tokens: MeterCounts): readonly BillMeter[] {
  return billMeters.filter((meter) => tokens[meter] !== undefined);
}

/** One less the other, without what is equal. */
function difference(one: MeterCounts, other: MeterCounts): MeterCounts {
  return Object.fromEntries(
    [...new Set([...metersOf(one), ...metersOf(other)])]
      .map((meter) => [meter, (one[meter] ?? 0) - (other[meter] ?? 0)] as const)
      .filter(([, count]) => count !== 0),
  );
}

function negated(tokens: MeterCounts): MeterCounts {
  return difference({}, tokens);
}
