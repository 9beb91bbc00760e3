import { usd, zeroUsd } from '../../../kernel/money.ts';
import type { FailedItem, OutputItem } from './batch-store.ts';
import { lineOf } from './item-end.ts';

/* The lines of the files that a batch hands out. */

/** The line of an ended item, marked where a text of the item was cut. */
export function outputLine(item: OutputItem): string {
  const line = wholeLine(item);
  const { cut } = item;
  return cut === undefined ? line : `${line.slice(0, -1)},"truncated":${JSON.stringify(cut)}}`;
}

/** One that was skipped, or erased since, has none in the ledger. */
function wholeLine(item: OutputItem): string {
  if (item.line !== undefined) return item.line;
  const { state, error, costUsd, unpriced, tokens } = item;
  const used = {
    costUsd: costUsd === undefined ? zeroUsd : usd(costUsd),
    unpriced,
    inputTokens: tokens?.input ?? 0,
    outputTokens: tokens?.output ?? 0,
  };
  const said = error === undefined ? 'null' : { error: { code: error.code, message: error.message } };
  return lineOf({ id: item.itemId, position: item.position }, state, said, used);
}

/** What was sent, with why it did not succeed; undefined where it was erased. */
export function failedLine({
  itemId,
  data,
  customer,
  team,
  labels,
  state,
  error,
}: FailedItem): string | undefined {
  if (data === undefined) return undefined;
  const parts = [
    `"id":${JSON.stringify(itemId)}`,
    `"data":${data}`,
    ...(customer === undefined ? [] : [`"customer":${JSON.stringify(customer)}`]),
    ...(team === undefined ? [] : [`"team":${JSON.stringify(team)}`]),
    ...(labels === undefined ? [] : [`"labels":${labels}`]),
    `"status":${JSON.stringify(state)}`,
    ...(error === undefined ? [] : [`"error":${JSON.stringify(error)}`]),
  ];
  return `{${parts.join(',')}}`;
}
