import type { Emission, FinishOutcome } from '../ledger/message-changes.ts';
import type { LeasedMessage } from '../ledger/stored-message.ts';

/*
 * Emissions that the process which writes them begins at once, without a claim. Each takes a free slot of its stage before it is
 * written, and the ledger leases it in the same commit if nothing else of that stage waits; otherwise the slot is free again and the
 * stage is told, as of any message:
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
  /** Begins the message. Resolves at once; or, when the stage has stopped meanwhile, after the message has been handed back. */
  begin(message: LeasedMessage, lease: AskedLease): Promise<void>;
}

export class HandOver {
  readonly #parent: LeasedMessage;
  readonly #askedAtMs: number;
  readonly #slots: readonly (LocalSlot | undefined)[];
  /** As they are to be written. */
  readonly emissions: readonly Emission[];

  constructor(
    parent: LeasedMessage,
    emissions: readonly Emission[],
    askedAtMs: number,
    slotFor: (stage: string) => LocalSlot | undefined,
  ) {
    this.#parent = parent;
    this.#askedAtMs = askedAtMs;
    this.#slots = emissions.map(({ stage, orderKey }) =>
      stage === '' || orderKey !== undefined ? undefined : slotFor(stage),
    );
    this.emissions = emissions.map((emission, index) => {
      const slot = this.#slots[index];
      return slot === undefined ? emission : { ...emission, leaseMs: slot.leaseMs };
    });
  }

  /** Nothing was written, as far as is known. */
  giveUp(): void {
    for (const slot of this.#slots) slot?.release();
  }

  /** Begins what is leased, gives the other slots back, and tells of each emission whether it was begun here. */
  async begin(
    leased: FinishOutcome['leased'],
    tell: (emission: Emission, isBegun: boolean) => void,
  ): Promise<void> {
    const begun = this.emissions.flatMap((emission, index) => {
      const times = leased.get(emission.id);
      const slot = this.#slots[index];
      if (slot === undefined || times === undefined) {
        slot?.release();
        tell(emission, false);
        return [];
      }
      tell(emission, true);
      const lease = { leaseMs: slot.leaseMs, askedAtMs: this.#askedAtMs };
      return [slot.begin(leasedEmission(this.#parent, emission, times), lease)];
    });
    await Promise.all(begun);
  }
}

/** An emission as a claim would give it: what it inherits, it inherits in the ledger too (see finishMessages). */
function leasedEmission(
  { envelope: parent, hops }: LeasedMessage,
  emission: Emission,
  { createdAt, availableAt }: { readonly createdAt: Date; readonly availableAt: Date },
): LeasedMessage {
  const { id, source, type, version, pipeline, stage, owner, lane, traceParent, body } = emission;
  return {
    envelope: {
      id,
      rootId: parent.rootId,
      parentId: parent.id,
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
      origin: parent.origin,
      item: parent.item,
      admittedAt: parent.admittedAt,
    },
    body,
    fence: 1,
    deliveries: 1,
    attempts: 0,
    degenerateAttempts: 0,
    priorAttempts: 0,
    lostRuns: 0,
    availableAt,
    orderKey: undefined,
    hops: hops + 1,
  };
}
