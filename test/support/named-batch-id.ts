import { derivedId, type Uuid } from '../../src/kernel/ids.ts';

/** An id for a batch that a test writes by hand, and finds again by its name. Batches that are made have ids of their own. */
export function batchId(team: string, name: string): Uuid {
  return derivedId(new Date(0), 'batch', team, name);
}
