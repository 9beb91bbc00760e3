import type { BatchRepairs } from '../../src/engine/export/export-batch-writer.ts';

/** The count of a batch's repairs where the test has no ledger; `begun` was noted by earlier tries. */
export class NotedRepairs implements BatchRepairs {
  begun: number;

  constructor(begun = 0) {
    this.begun = begun;
  }

  begin(number: number): Promise<boolean> {
    const isNext = number === this.begun + 1;
    if (isNext) this.begun = number;
    return Promise.resolve(isNext);
  }
}
