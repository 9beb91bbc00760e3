import type { SqlDatabase } from '../../drivers/sql-database/sql-database.ts';
import { AppError } from '../../kernel/app-error.ts';
import type { Uuid } from '../../kernel/ids.ts';
import { claimMessages, explainMessages } from './claim-sql.ts';
import {
  type LaneTaken,
  type LaneTimes,
  type LaneWeights,
  defaultLaneWeights,
  initialTimes,
  timesAfterClaim,
} from './lane-shares.ts';
import { type MessageState, hasEnded } from './message-state.ts';
import { releaseHeads } from './order-sql.ts';
import { type LeasedMessage, type MessageRow, leasedMessageOf } from './stored-message.ts';

/*
 * Late binding. A process asks for as many messages of a stage as it has slots free. Which ones it gets is decided here,
 * in one statement for all that is asked for at the same time: by the lanes' weights, then in turn by customer, then by
 * age. Whoever gets fewer than asked for has seen that nothing else is due, and asks again when it is notified of more.
 */

/** A slot that asks for a message of its stage. */
export interface ClaimRequest {
  readonly stage: string;
  readonly leaseMs: number;
  /** A message that was said to be due; it need not be the one that is got. Nothing got: why this one was not. */
  readonly about?: Uuid;
  /** The lanes with their shares. Default interactive 4, standard 2, bulk 1, short 2. */
  readonly weights?: LaneWeights;
  /** Whether messages of the stage may have keys that order them. */
  readonly isOrdered?: boolean;
}

/** What came of it. */
export type ClaimOutcome =
  | { readonly kind: 'leased'; readonly message: LeasedMessage }
  /** Nothing now; the message asked about, or another, is worth asking for again then. */
  | { readonly kind: 'not_due'; readonly delayMs: number }
  | { readonly kind: 'leased_by_another' }
  /** The message asked about is parked, blocked, or behind another of its key; whoever releases it tells its stage. */
  | { readonly kind: 'waits' }
  | { readonly kind: 'ended' }
  | { readonly kind: 'unknown' }
  /** Nothing of the stage is due that could be had. */
  | { readonly kind: 'none' };

/** A row of the claim: a lane, with one of the messages taken from it or none. */
interface ClaimRow extends MessageRow {
  readonly claim_ask: number;
  readonly claim_seen: number;
  readonly claim_is_cut: boolean;
  readonly claim_last_customer: string;
  readonly claim_aside: readonly string[] | null;
  readonly claim_turn: number | null;
}

/** What this process remembers about the claims of a stage. */
interface SchedulingState {
  times: LaneTimes;
  /** By lane, the customer that was served last. */
  readonly after: Map<string, string>;
  /** How far claims look beyond what they want, because other processes are at the same messages. */
  reach: number;
}

interface LaneRequest {
  readonly stage: string;
  readonly lane: string;
}

const maxReach = 8;
/** One claim looks this often before it leaves the rest to a later one. */
const maxLooks = 6;
const minHops = 64;
/** Each further look goes further, so that many customers of whom none is due yet do not make claims come back. */
const hopGrowth = 8;
const maxHops = 50_000;
/** When to ask again where a stage was too busy to find out that there is nothing. */
const againMs = 50;

export class Claims {
  readonly #database: SqlDatabase;
  readonly #worker: string;
  readonly #state = new Map<string, SchedulingState>();

  constructor(database: SqlDatabase, worker: string) {
    this.#database = database;
    this.#worker = worker;
  }

  /** Answers all that is asked in a group, whichever the stages. One group at a time: the turns are this process's. */
  async answer(asks: readonly ClaimRequest[]): Promise<ClaimOutcome[]> {
    const byStage = Map.groupBy(asks, (ask) => ask.stage);
    const leased = new Map<string, LeasedMessage[]>([...byStage.keys()].map((stage) => [stage, []]));
    let open = [...byStage.keys()];
    for (let look = 1; open.length > 0 && look <= maxLooks; look += 1) {
      const wanted = open.map((stage) => {
        const ofStage = byStage.get(stage) ?? [];
        return { ofStage, count: ofStage.length - (leased.get(stage)?.length ?? 0) };
      });
      const found = await this.#look(wanted, minHops * hopGrowth ** (look - 1)).catch((error: unknown) => {
        // What was leased before must reach its worker: the slots that are left ask again.
        if (look === 1) throw error;
        return undefined;
      });
      if (found === undefined) break;
      open = open.filter((stage) => {
        const { messages, hasMore } = found.get(stage) ?? { messages: [], hasMore: false };
        const got = leased.get(stage);
        got?.push(...messages);
        return hasMore && (got?.length ?? 0) < (byStage.get(stage)?.length ?? 0);
      });
    }
    return await this.#outcomes(asks, leased, new Set(open));
  }

  async #look(
    wanted: readonly { readonly ofStage: readonly ClaimRequest[]; readonly count: number }[],
    leastHops: number,
  ): Promise<Map<string, { readonly messages: LeasedMessage[]; readonly hasMore: boolean }>> {
    const lanes: LaneRequest[] = [];
    const rows = wanted.flatMap(({ ofStage, count }) => this.#askRows(ofStage, count, lanes, leastHops));
    const result = await this.#database.query<ClaimRow>(claimMessages, [JSON.stringify(rows), this.#worker]);
    const byStage = Map.groupBy(result.rows, (row) => lanes[row.claim_ask]?.stage ?? '');
    const released = await this.#releaseAgain(byStage);
    return new Map(
      wanted.map(({ ofStage, count }) => {
        const { stage = '', weights = defaultLaneWeights } = ofStage[0] ?? {};
        const ofClaim = byStage.get(stage) ?? [];
        const taken = ofClaim
          .filter((row) => row.claim_turn !== null)
          .toSorted((left, right) => (left.claim_turn ?? 0) - (right.claim_turn ?? 0));
        const seen = this.#note(stage, weights, taken, ofClaim, lanes);
        const isContested = taken.length < Math.min(count, seen.seen);
        const state = this.#stateOf(stage, weights);
        state.reach = isContested ? Math.min(maxReach, state.reach * 2) : Math.max(1, state.reach / 2);
        const hasMore = isContested || seen.isCut || released.has(stage);
        return [stage, { messages: taken.map((row) => leasedMessageOf(row)), hasMore }];
      }),
    );
  }

  /** A row for each lane of the stage; its number is its place in `lanes`. */
  #askRows(
    ofStage: readonly ClaimRequest[],
    count: number,
    lanes: LaneRequest[],
    leastHops: number,
  ): Record<string, unknown>[] {
    const { stage = '', weights = defaultLaneWeights, isOrdered = false } = ofStage[0] ?? {};
    const state = this.#stateOf(stage, weights);
    const reach = Math.ceil(count * state.reach);
    return Object.entries(weights).map(([lane, weight]) => ({
      ask: lanes.push({ stage, lane }) - 1,
      stage,
      lane,
      wanted: count,
      reach,
      hops: Math.min(maxHops, Math.max(leastHops, 2 * reach)),
      start: state.times[lane] ?? 0,
      step: 1 / weight,
      after: state.after.get(lane) ?? '',
      lease_ms: Math.max(...ofStage.map((ask) => ask.leaseMs)),
      is_ordered: isOrdered,
    }));
  }

  /** Keeps the lanes' times and which customer is next. */
  #note(
    stage: string,
    weights: LaneWeights,
    taken: readonly ClaimRow[],
    ofClaim: readonly ClaimRow[],
    lanes: readonly LaneRequest[],
  ): { readonly seen: number; readonly isCut: boolean } {
    const state = this.#stateOf(stage, weights);
    const takenOf = Map.groupBy(taken, (row) => row.claim_ask);
    const found: Record<string, LaneTaken> = {};
    const perLane = [...new Map(ofClaim.map((row) => [row.claim_ask, row])).values()];
    for (const row of perLane) {
      const lane = lanes[row.claim_ask]?.lane ?? '';
      const ofLane = takenOf.get(row.claim_ask) ?? [];
      const hasMore = row.claim_is_cut || row.claim_seen > ofLane.length;
      found[lane] = { taken: ofLane.length, hasMore };
      const last = ofLane.at(-1)?.customer;
      if (last !== undefined) state.after.set(lane, last);
      // Customers without anything that is due are passed by, and not visited first the next time.
      else if (row.claim_seen === 0) state.after.set(lane, row.claim_last_customer);
    }
    state.times = timesAfterClaim(state.times, weights, found);
    return {
      seen: perLane.reduce((sum, row) => sum + row.claim_seen, 0),
      isCut: perLane.some((row) => row.claim_is_cut),
    };
  }

  /** What the claim set aside may have been released in the same moment (see order-sql.ts). Answers the stages with such. */
  async #releaseAgain(byStage: ReadonlyMap<string, readonly ClaimRow[]>): Promise<ReadonlySet<string>> {
    const keys = [...byStage].flatMap(([stage, rows]) =>
      [...new Set(rows.flatMap((row) => row.claim_aside ?? []))].map((key) => ({ stage, key })),
    );
    if (keys.length === 0) return new Set();
    try {
      await this.#database.query(releaseHeads, [keys.map(({ stage }) => stage), keys.map(({ key }) => key)]);
    } catch (error) {
      // The claim is committed and must reach its workers; the sweeper releases what this could not.
      if (!(error instanceof AppError)) throw error;
    }
    // What was behind those set aside has not been looked at yet.
    return new Set(keys.map(({ stage }) => stage));
  }

  async #outcomes(
    asks: readonly ClaimRequest[],
    leased: ReadonlyMap<string, readonly LeasedMessage[]>,
    busy: ReadonlySet<string>,
  ): Promise<ClaimOutcome[]> {
    const given = new Map<string, number>();
    const outcomes = asks.map(({ stage, about }): ClaimOutcome | undefined => {
      const next = given.get(stage) ?? 0;
      given.set(stage, next + 1);
      const message = leased.get(stage)?.[next];
      if (message !== undefined) return { kind: 'leased', message };
      if (busy.has(stage)) return { kind: 'not_due', delayMs: againMs };
      return about === undefined ? { kind: 'none' } : undefined;
    });
    const left = asks.flatMap(({ about }, index) =>
      outcomes[index] === undefined && about !== undefined ? [about] : [],
    );
    if (left.length === 0) return outcomes.filter((outcome) => outcome !== undefined);
    const reasons = await this.#explain(left).catch((error: unknown) => {
      if (left.length === asks.length) throw error;
      return undefined;
    });
    const unexplained: ClaimOutcome =
      reasons === undefined ? { kind: 'not_due', delayMs: againMs } : { kind: 'unknown' };
    return asks.map(({ about = '' }, index) => outcomes[index] ?? reasons?.get(about) ?? unexplained);
  }

  async #explain(ids: readonly Uuid[]): Promise<Map<Uuid, ClaimOutcome>> {
    const { rows } = await this.#database.query<Unclaimed>(explainMessages, [ids]);
    return new Map(rows.map((row) => [row.id, whyNotClaimed(row)]));
  }

  #stateOf(stage: string, weights: LaneWeights): SchedulingState {
    const known = this.#state.get(stage);
    if (known !== undefined) return known;
    const state = { times: initialTimes(weights), after: new Map<string, string>(), reach: 1 };
    this.#state.set(stage, state);
    return state;
  }
}

interface Unclaimed {
  readonly id: Uuid;
  readonly state: MessageState;
  readonly due_in_ms: number;
  readonly must_wait: boolean;
}

function whyNotClaimed({ state, due_in_ms: dueInMs, must_wait: mustWait }: Unclaimed): ClaimOutcome {
  if (hasEnded(state)) return { kind: 'ended' };
  if (state === 'leased') return { kind: 'leased_by_another' };
  if (mustWait) return { kind: 'waits' };
  // Due, yet not seen: it became so, or was released, while the claim was looking.
  return { kind: 'not_due', delayMs: Math.max(dueInMs, againMs) };
}
