import { invariant } from '../kernel/invariant.ts';
import { moneyScale } from '../kernel/money.ts';

/*
 * Rows as a Parquet file that is sent as it is made: decimals as DECIMAL(38, 18), exact; times as TIMESTAMP_MILLIS in UTC; a row group
 * each group of rows, so that no more than one is in memory. The same rows in the same groups are the same bytes.
 */

/** How a column's values are written, which are given as text. */
export type ParquetKind = 'text' | 'decimal' | 'time' | 'json' | 'count';

export interface ParquetColumn<Name extends string = string> {
  readonly name: Name;
  readonly kind: ParquetKind;
  readonly isNullable: boolean;
  /** Whether its row groups say nothing of its least and greatest value: for texts of any length, which would stand in the file's end. */
  readonly hasNoBounds?: boolean;
}

const decimalPrecision = 38;
const decimalBytes = 16;

/** The file's bytes, piece by piece. */
export async function* parquetRows<Name extends string>(
  columns: readonly ParquetColumn<Name>[],
  groups: AsyncIterable<readonly Readonly<Record<Name, string | null>>[]>,
): AsyncGenerator<Uint8Array> {
  const { ByteWriter, ParquetWriter } = await import('hyparquet-writer');
  const writer = new ByteWriter();
  // What was written since the last time, copied: the writer's buffer is used again.
  const written = (): Uint8Array => {
    const bytes = writer.getBytes().slice();
    writer.index = 0;
    return bytes;
  };
  const parquet = new ParquetWriter({ writer, schema: schemaOf(columns), createdBy: 'millrace' });
  for await (const rows of groups) {
    if (rows.length === 0) continue;
    const columnData = columns.map(({ name, kind, hasNoBounds = false }) => ({
      name,
      data: rows.map((row) => parquetValue(kind, row[name])),
      statistics: !hasNoBounds,
    }));
    await parquet.write({ columnData, rowGroupSize: rows.length });
    yield written();
  }
  await parquet.finish();
  yield written();
}

const elements = {
  text: { type: 'BYTE_ARRAY', converted_type: 'UTF8' },
  // Not converted_type JSON: readers would parse it, and numbers would lose digits.
  json: { type: 'BYTE_ARRAY', converted_type: 'UTF8' },
  time: { type: 'INT64', converted_type: 'TIMESTAMP_MILLIS' },
  count: { type: 'INT64' },
  decimal: {
    type: 'FIXED_LEN_BYTE_ARRAY',
    type_length: decimalBytes,
    converted_type: 'DECIMAL',
    scale: moneyScale,
    precision: decimalPrecision,
  },
} as const;

function schemaOf(columns: readonly ParquetColumn[]) {
  return [
    { name: 'root', num_children: columns.length },
    ...columns.map(({ name, kind, isNullable }) => ({
      name,
      ...elements[kind],
      repetition_type: isNullable ? ('OPTIONAL' as const) : ('REQUIRED' as const),
    })),
  ];
}

function parquetValue(kind: ParquetKind, text: string | null): string | bigint | Date | undefined {
  if (text === null) return undefined;
  switch (kind) {
    case 'text':
    case 'json':
      return text;
    case 'time':
      return new Date(text);
    case 'count':
      return BigInt(text);
    case 'decimal':
      return scaledDecimal(text);
  }
}

const decimalText = /^(-?)(\d+)(?:\.(\d+))?$/;

/** A decimal as the whole number of its last digits. */
function scaledDecimal(text: string): bigint {
  const [, sign = '', whole = '', fraction = ''] = decimalText.exec(text) ?? [];
  invariant(whole !== '' && fraction.length <= moneyScale, `"${text}" is an amount`);
  return BigInt(`${sign}${whole}${fraction.padEnd(moneyScale, '0')}`);
}
