import type { Uuid } from '../../kernel/ids.ts';
import type { Admission, Emission, LeasedAsWritten, WrittenTimes } from '../ledger/message-changes.ts';
import type { Start } from '../../messages/start-time.ts';
import type { LeasedMessage } from '../ledger/stored-message.ts';

/*
 * Messages that the process which writes them begins at once, without a claim. Each takes a free slot of its stage before it is
 * written, and the ledger leases it in the same commit if nothing else of that stage waits; otherwise the slot is free again and the
 * stage is notified, as of any message:
 *
 *   slot free ─► written as leased ─► begun
 *             └► written as pending, or not at all ─► slot given back
 */

/** How and when a lease was asked for. */
export interface AskedLease {
  readonly leaseMs: number;
  /** Of the monotonic clock. */
  readonly askedAtMs: number;
}

/** A free slot of a stage in this process, kept for a message that is about to be written. */
export interface LocalSlot {
  readonly leaseMs: number;
  /** The message is not for this process. */
  release(): void;
  /** Begins the message. Resolves at once; or, when the stage has stopped meanwhile, after the message has been released. */
  begin(message: LeasedMessage, lease: AskedLease): Promise<void>;
}

/** What must be known of a message that may be handed over. */
interface Placed {
  readonly id: Uuid;
  readonly stage: string;
  readonly orderKey?: string | undefined;
  /** It may not begin yet. */
  readonly waits?: object | undefined;
  readonly start?: Start | undefined;
}

/** Messages that are written together, with the slots that they would take. */
export class HandOver<Written extends Placed> {
  readonly #messages: readonly Written[];
  readonly #askedAtMs: number;
  readonly #slots: readonly (LocalSlot | undefined)[];

  constructor(
    messages: readonly Written[],
    askedAtMs: number,
    slotFor: (stage: string) => LocalSlot | undefined,
  ) {
    this.#messages = messages;
    this.#askedAtMs = askedAtMs;
    this.#slots = messages.map(({ stage, orderKey, start, waits }) => {
      const isLater = start !== undefined || waits !== undefined;
      return stage === '' || orderKey !== undefined || isLater ? undefined : slotFor(stage);
    });
  }

  /** How long to lease each, in their order; undefined for those that this process would not begin. */
  get leasesMs(): readonly (number | undefined)[] {
    return this.#slots.map((slot) => slot?.leaseMs);
  }

  /** Nothing was written, as far as is known. */
  giveUp(): void {
    for (const slot of this.#slots) slot?.release();
  }

  /** Begins what is leased, gives the other slots back, and tells of each message whether it was begun here. */
  async begin(
    leased: LeasedAsWritten,
    asLeased: (message: Written, times: WrittenTimes) => LeasedMessage,
    tell: (message: Written, isBegun: boolean) => unknown,
  ): Promise<void> {
    const begun = this.#messages.flatMap((message, index) => {
      const times = leased.get(message.id);
      const slot = this.#slots[index];
      if (slot === undefined || times === undefined) {
        slot?.release();
        tell(message, false);
        return [];
      }
      tell(message, true);
      const lease = { leaseMs: slot.leaseMs, askedAtMs: this.#askedAtMs };
      return [slot.begin(asLeased(message, times), lease)];
    });
    await Promise.all(begun);
  }
}

/** What is known of a message that nobody has worked on yet, and that no key orders. */
const firstRun = {
  fencingToken: 1,
  deliveries: 1,
  attempts: 0,
  invalidOutputAttempts: 0,
  priorAttempts: 0,
  expiredLeases: 0,
  orderKey: undefined,
  isExpired: false,
} as const;

/** An admitted message as a claim would give it. */
export function leasedAdmission(
  { envelope, body }: Admission,
  { createdAt, availableAt }: WrittenTimes,
): LeasedMessage {
  const { id } = envelope;
  const admitted = { rootId: id, parentId: undefined, createdAt, admittedAt: createdAt };
  const outside = { branchId: undefined, endsBranch: false, joinId: undefined };
  return { ...firstRun, ...outside, envelope: { ...envelope, ...admitted }, body, availableAt, hops: 0 };
}

/** An emission as a claim would give it: what it inherits, it inherits in the ledger too (see finishMessages). */
export function leasedEmission(
  { envelope: parent, hops, branchId, endsBranch }: LeasedMessage,
  emission: Emission,
  { createdAt, availableAt }: WrittenTimes,
): LeasedMessage {
  const { id, source, type, version, pipeline, stage, owner, lane, traceParent, body, branch, joinId } =
    emission;
  const { rootId, origin, item, admittedAt } = parent;
  const inherited = { rootId, parentId: parent.id, origin, item, admittedAt };
  const own = {
    id,
    source,
    eventId: id,
    type,
    version,
    pipeline,
    stage,
    owner,
    lane,
    traceParent,
    createdAt,
  };
  const joins = {
    branchId: branch?.id ?? (endsBranch ? undefined : branchId),
    endsBranch: branch?.isMessageOnly === true,
    joinId,
  };
  return { ...firstRun, ...joins, envelope: { ...inherited, ...own }, body, availableAt, hops: hops + 1 };
}
