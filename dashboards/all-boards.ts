import type { Board } from './board.ts';
import { batchesBoard } from './boards/batches-board.ts';
import { budgetsBoard } from './boards/budgets-board.ts';
import { costBoard } from '../src/capabilities/costs/costs.board.ts';
import { deadLettersBoard } from '../src/capabilities/dead-letters/dead-letters.board.ts';
import { requestsBoard } from '../src/capabilities/requests/requests.board.ts';
import { meteringBoard } from './boards/metering-board.ts';
import { modelsBoard } from './boards/models-board.ts';
import { overviewBoard } from './boards/overview-board.ts';
import { schedulesBoard } from '../src/capabilities/schedules/schedules.board.ts';
import { stageBoard } from './boards/stage-board.ts';

/** Every board, in the order in which a reader meets them. */
export const allBoards: readonly Board[] = [
  overviewBoard,
  stageBoard,
  deadLettersBoard,
  costBoard,
  modelsBoard,
  requestsBoard,
  batchesBoard,
  schedulesBoard,
  budgetsBoard,
  meteringBoard,
];
