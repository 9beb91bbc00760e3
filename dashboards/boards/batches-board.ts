import { batchRunRows } from '../../src/capabilities/batches/batches.board.ts';
import { webhookRows } from '../../src/capabilities/webhooks/webhooks.board.ts';
import { batchDimensions, batchSpendRows } from '../../src/capabilities/costs/batches.board.ts';
import type { Board } from '../board.ts';
import { boardUids } from '../board-links.ts';
import { usageVariables } from '../variables.ts';

/** How batches go, who is told of them, and what they cost: rows of three capabilities. */
export const batchesBoard: Board = {
  uid: boardUids.batches,
  title: 'Millrace / Batches',
  question: 'Which batches need somebody, what came of each, and what does an item of it cost?',
  range: '7d',
  refresh: '1m',
  variables: usageVariables(batchDimensions),
  rows: [...batchRunRows, ...webhookRows, ...batchSpendRows],
};
