import { describeHold } from '../../engine/ledger/hold.ts';
import { Holds, type ListedHold } from '../../engine/ledger/holds.ts';
import type { StatusPart, UnnotedWait, WaitExplanation } from '../status-part.ts';
import { type HoldList, holdListDocument, holdListSchema } from './hold-documents.ts';
import { holdTables } from './holds-text.ts';

interface HeldWork {
  /** What operators have stopped, oldest first, with how many messages wait for it. */
  readonly holds: readonly ListedHold[];
}

/** What operators have stopped. */
export const pauseStatus: StatusPart<HeldWork, HoldList> = {
  schema: holdListSchema.shape,
  read: async ({ database, clock }) => {
    const holds = await new Holds({ database, clock }).list();
    const isAllHeld = holds.some(({ scope }) => scope === 'all');
    const held = new Set(holds.flatMap(({ scope, value }) => (scope === 'stage' ? [value] : [])));
    return {
      members: { holds },
      document: holdListDocument(holds),
      tables: ({ leased }) => holdTables(holds, leased),
      explain: ({ reason, about }) =>
        reason === 'hold' ? explanationOf(holds.find(({ id }) => id === about)) : undefined,
      unnoted: holds.map((hold) => unnotedOf(hold)),
      stops: (stage) => isAllHeld || held.has(stage),
    };
  },
};

function explanationOf(hold: ListedHold | undefined): WaitExplanation {
  if (hold === undefined) {
    return {
      why: 'An operator had stopped them; that is lifted.',
      change: 'They are released within seconds.',
    };
  }
  const { scope, value, actor, reason, createdAt } = hold;
  return {
    about: describeHold(hold),
    since: createdAt,
    why: `${actor} has stopped ${describeHold(hold)}: ${reason}`,
    change: `millrace resume ${scope}${scope === 'all' ? '' : ` ${value}`} --reason "…"`,
  };
}

function unnotedOf(hold: ListedHold): UnnotedWait {
  return {
    reason: 'hold',
    name: hold.id,
    messages: hold.waiting,
    stages: hold.scope === 'stage' ? [hold.value] : [],
    explanation: explanationOf(hold),
  };
}
