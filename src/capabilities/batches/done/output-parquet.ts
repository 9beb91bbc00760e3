import { type ParquetColumn, parquetRows } from '../../../http/parquet-rows.ts';
import { formatUsd, usd } from '../../../kernel/money.ts';
import type { OutputItem } from '../run/batch-store.ts';
import { outputsOfLine } from '../run/item-end.ts';

/* The output of a batch as Parquet: what its lines say, a row an item, in their order. */

const required = <const Name extends string>(name: Name, kind: ParquetColumn['kind']) =>
  ({ name, kind, isNullable: false }) as const;
const optional = <const Name extends string>(name: Name, kind: ParquetColumn['kind'], hasNoBounds = false) =>
  ({ name, kind, isNullable: true, hasNoBounds }) as const;

const columns = [
  required('id', 'text'),
  required('position', 'count'),
  required('status', 'text'),
  optional('outputs', 'json', true),
  optional('error_code', 'text'),
  optional('error_message', 'text', true),
  optional('cost', 'decimal'),
  required('currency', 'text'),
  required('input_tokens', 'count'),
  required('output_tokens', 'count'),
  optional('attempts', 'count'),
] as const;

type OutputRow = Readonly<Record<(typeof columns)[number]['name'], string | null>>;

/** A row group ends with the page of items that makes it so large: enough to compress well, little beside the process. */
const groupRows = 10_000;
const groupCharacters = 16 * 1024 * 1024;

/** The file's bytes, piece by piece. The pages are the same whenever a batch that is over is read, and so are the bytes. */
export function outputParquet(pages: AsyncIterable<readonly OutputItem[]>): AsyncGenerator<Uint8Array> {
  return parquetRows(columns, groupsOf(pages));
}

async function* groupsOf(pages: AsyncIterable<readonly OutputItem[]>): AsyncGenerator<readonly OutputRow[]> {
  let group: OutputRow[] = [];
  let characters = 0;
  for await (const items of pages) {
    for (const item of items) {
      group.push(rowOf(item));
      characters += (item.line?.length ?? 0) + (item.error?.message.length ?? 0);
    }
    if (group.length < groupRows && characters < groupCharacters) continue;
    yield group;
    group = [];
    characters = 0;
  }
  if (group.length > 0) yield group;
}

function rowOf({
  itemId,
  position,
  state,
  line,
  error,
  costUsd,
  unpriced,
  tokens,
  attempts,
}: OutputItem): OutputRow {
  return {
    id: itemId,
    position: String(position),
    status: state,
    outputs: line === undefined ? null : (outputsOfLine(line) ?? null),
    error_code: error?.code ?? null,
    error_message: error?.message ?? null,
    cost: unpriced > 0 ? null : formatUsd(usd(costUsd ?? '0')),
    currency: 'USD',
    input_tokens: String(tokens?.input ?? 0),
    output_tokens: String(tokens?.output ?? 0),
    attempts: attempts === undefined ? null : String(attempts),
  };
}
