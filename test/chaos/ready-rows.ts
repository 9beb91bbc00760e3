import type { MessageEvidence } from './evidence.ts';

/** What another customer got while one waited. */
export interface Turns {
  readonly customer: string;
  readonly most: number;
}

interface Lane {
  readonly rows: Map<string, Set<string>>;
  size: number;
  /** How often each customer was served. */
  readonly served: Map<string, number>;
  /** What that was when a customer that waits was served last, or began to wait. */
  readonly since: Map<string, ReadonlyMap<string, number>>;
}

type Place = Pick<MessageEvidence, 'id' | 'stage' | 'lane' | 'customer'>;

/** The ready messages of a run at a moment of its history, by stage, lane and customer. */
export class ReadyRows {
  readonly #stages = new Map<string, Map<string, Lane>>();

  add(message: Place): void {
    const lane = this.#laneOf(message);
    const rows = lane.rows.get(message.customer) ?? new Set();
    lane.rows.set(message.customer, rows);
    if (rows.has(message.id)) return;
    rows.add(message.id);
    lane.size += 1;
    if (rows.size === 1) lane.since.set(message.customer, new Map(lane.served));
  }

  remove(message: Place): void {
    const lane = this.#laneOf(message);
    const rows = lane.rows.get(message.customer);
    if (rows?.delete(message.id) !== true) return;
    lane.size -= 1;
    if (rows.size === 0) lane.since.delete(message.customer);
  }

  /** It is the message's turn; answers who was served most while its customer waited, when that is known. */
  take(message: Place): Turns | undefined {
    const lane = this.#laneOf(message);
    const { customer } = message;
    const since = lane.since.get(customer);
    let turns: Turns | undefined;
    if (since !== undefined) {
      for (const [other, count] of lane.served) {
        const most = count - (since.get(other) ?? 0);
        if (other !== customer && most > (turns?.most ?? -1)) turns = { customer: other, most };
      }
    }
    lane.served.set(customer, (lane.served.get(customer) ?? 0) + 1);
    this.remove(message);
    if ((lane.rows.get(customer)?.size ?? 0) > 0) lane.since.set(customer, new Map(lane.served));
    return turns;
  }

  /** From here on turns are counted anew: somebody was kept from theirs. */
  forgetTurns(): void {
    for (const lanes of this.#stages.values())
      for (const lane of lanes.values()) {
        for (const customer of lane.since.keys()) lane.since.set(customer, new Map(lane.served));
      }
  }

  /** The lanes of a stage in which so many are ready. */
  lanesWith(stage: string, least: number): readonly string[] {
    const lanes = this.#stages.get(stage) ?? new Map<string, Lane>();
    return [...lanes].filter(([, { size }]) => size >= least).map(([name]) => name);
  }

  #laneOf({ stage, lane: name }: Place): Lane {
    const lanes = this.#stages.get(stage) ?? new Map<string, Lane>();
    this.#stages.set(stage, lanes);
    const lane = lanes.get(name) ?? { rows: new Map(), size: 0, served: new Map(), since: new Map() };
    lanes.set(name, lane);
    return lane;
  }
}
