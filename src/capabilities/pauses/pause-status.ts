import { describeBlock } from '../../engine/ledger/block.ts';
import { Blocks, type ListedBlock } from '../../engine/ledger/blocks.ts';
import type { StatusPart, UnnotedWait, WaitExplanation } from '../status-part.ts';
import { type PauseList, pauseListDocument, pauseListSchema } from './pause-documents.ts';
import { pauseTables } from './pauses-text.ts';

/** What the status has of pauses. */
export interface PausedWork {
  /** What operators have stopped, oldest first, with how many messages wait for it. */
  readonly pauses: readonly ListedBlock[];
}

/** What operators have stopped. */
export const pauseStatus: StatusPart<PausedWork, PauseList> = {
  schema: pauseListSchema.shape,
  read: async ({ database, clock }) => {
    const pauses = await new Blocks({ database, clock }).list();
    const isAllPaused = pauses.some(({ scope }) => scope === 'all');
    const paused = new Set(pauses.flatMap(({ scope, value }) => (scope === 'stage' ? [value] : [])));
    return {
      members: { pauses },
      document: pauseListDocument(pauses),
      tables: ({ leased }) => pauseTables(pauses, leased),
      explain: ({ reason, about }) =>
        reason === 'pause' ? explanationOf(pauses.find(({ id }) => id === about)) : undefined,
      unnoted: pauses.map((pause) => unnotedOf(pause)),
      stops: (stage) => isAllPaused || paused.has(stage),
    };
  },
};

function explanationOf(pause: ListedBlock | undefined): WaitExplanation {
  if (pause === undefined) {
    return {
      why: 'An operator had stopped them; that is lifted.',
      change: 'They are released within seconds.',
    };
  }
  const { scope, value, actor, reason, createdAt } = pause;
  return {
    about: describeBlock(pause),
    since: createdAt,
    why: `${actor} has stopped ${describeBlock(pause)}: ${reason}`,
    change: `millrace resume ${scope}${scope === 'all' ? '' : ` ${value}`} --reason "…"`,
  };
}

function unnotedOf(pause: ListedBlock): UnnotedWait {
  return {
    reason: 'pause',
    name: pause.id,
    messages: pause.waiting,
    stages: pause.scope === 'stage' ? [pause.value] : [],
    explanation: explanationOf(pause),
  };
}
