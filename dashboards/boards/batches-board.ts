import { batchRunRows } from '../../src/capabilities/batches/batches.board.ts';
import { batchDimensions, batchSpendRows } from '../../src/capabilities/costs/batches.board.ts';
import type { Board } from '../board.ts';
import { boardUids } from '../board-links.ts';
import { usageVariables } from '../variables.ts';

/** How batches go, and what they cost: rows of two capabilities. */
export const batchesBoard: Board = {
  uid: boardUids.batches,
  title: 'Millrace / Batches',
  question: 'Which batches need somebody, what came of each, and what does an item of it cost?',
  range: '7d',
  refresh: '1m',
  variables: usageVariables(batchDimensions),
  rows: [...batchRunRows, ...batchSpendRows],
};
