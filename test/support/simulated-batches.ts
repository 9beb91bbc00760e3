import type { BillEntry } from '../../src/simulator/bill.ts';
import type { Simulator } from '../../src/simulator/simulator.ts';

/** What the simulator has billed for the items of a batch. */
export async function billedItems(simulator: Simulator, batchId: string): Promise<BillEntry[]> {
  const { entries = [] } = await simulator.bill({ entries: true });
  return entries.filter(({ batch }) => batch?.id === batchId);
}

/** How many there are, over all pages. */
export async function countOf(list: AsyncIterable<unknown>): Promise<number> {
  let count = 0;
  for await (const _ of list) count += 1;
  return count;
}
