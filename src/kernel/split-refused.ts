import { AppError } from './app-error.ts';

/**
 * Writes the items together and tells what happened to each as soon as that is known, in order. A write that the store refuses
 * for what an item holds (MILLRACE_DATA_REFUSED) is halved, and each half written in order, until the refused item is
 * alone: one such item among n costs at most 2·log2(n) more writes. Any other failure is that of all items of its write.
 * Resolves true when one write was enough.
 *
 * `write` writes in one transaction: what is refused has written nothing. It answers one result per item, in order.
 */
export async function writeSplittingRefused<Item, Result>(
  items: readonly Item[],
  write: (items: readonly Item[]) => Promise<readonly Result[]>,
  tell: (item: Item, outcome: PromiseSettledResult<Result>) => void,
): Promise<boolean> {
  try {
    const results = await write(items);
    items.forEach((item, index) => tell(item, { status: 'fulfilled', value: results[index] as Result }));
    return true;
  } catch (error) {
    if (items.length > 1 && isRefusedData(error)) {
      const middle = Math.ceil(items.length / 2);
      await writeSplittingRefused(items.slice(0, middle), write, tell);
      await writeSplittingRefused(items.slice(middle), write, tell);
    } else {
      for (const item of items) tell(item, { status: 'rejected', reason: error });
    }
    return false;
  }
}

/** Whether a store refused what a row holds. */
export function isRefusedData(error: unknown): error is AppError {
  return error instanceof AppError && error.code === 'MILLRACE_DATA_REFUSED';
}
