import { invariant } from '../../../kernel/invariant.ts';
import { focusColumns, type FocusColumn, type FocusRow } from './focus-columns.ts';

/*
 * A FOCUS dataset as Parquet: decimals as DECIMAL(38, 18), exact; times as TIMESTAMP_MILLIS in UTC; a row group a piece of
 * the export, so that no more than one is in memory.
 */

const decimalScale = 18;
const decimalPrecision = 38;
const decimalBytes = 16;
/** Enough that row groups compress well, few enough that one is small beside the process. */
const rowsPerGroup = 20_000;

/** The file's bytes, piece by piece. */
export async function* focusParquet(pieces: AsyncIterable<readonly FocusRow[]>): AsyncGenerator<Uint8Array> {
  const { ByteWriter, ParquetWriter } = await import('hyparquet-writer');
  const writer = new ByteWriter();
  // What was written since the last time, copied: the writer's buffer is used again.
  const written = (): Uint8Array => {
    const bytes = writer.getBytes().slice();
    writer.index = 0;
    return bytes;
  };
  const parquet = new ParquetWriter({ writer, schema: parquetSchema, createdBy: 'millrace' });
  let waiting: FocusRow[] = [];
  for await (const rows of pieces) {
    waiting = waiting.length === 0 ? [...rows] : waiting.concat(rows);
    while (waiting.length >= rowsPerGroup) {
      await parquet.write({
        columnData: columnData(waiting.slice(0, rowsPerGroup)),
        rowGroupSize: rowsPerGroup,
      });
      waiting = waiting.slice(rowsPerGroup);
      yield written();
    }
  }
  if (waiting.length > 0) {
    await parquet.write({ columnData: columnData(waiting), rowGroupSize: rowsPerGroup });
  }
  await parquet.finish();
  yield written();
}

const elements = {
  text: { type: 'BYTE_ARRAY', converted_type: 'UTF8' },
  json: { type: 'BYTE_ARRAY', converted_type: 'UTF8' },
  time: { type: 'INT64', converted_type: 'TIMESTAMP_MILLIS' },
  count: { type: 'INT64' },
  decimal: {
    type: 'FIXED_LEN_BYTE_ARRAY',
    type_length: decimalBytes,
    converted_type: 'DECIMAL',
    scale: decimalScale,
    precision: decimalPrecision,
  },
} as const;

const parquetSchema = [
  { name: 'root', num_children: focusColumns.length },
  ...focusColumns.map(({ name, kind, isNullable }) => ({
    name,
    ...elements[kind],
    repetition_type: isNullable ? ('OPTIONAL' as const) : ('REQUIRED' as const),
  })),
];

function columnData(rows: readonly FocusRow[]) {
  return focusColumns.map(({ name, kind }) => ({
    name,
    data: rows.map((row) => {
      const value = row[name];
      return value === null ? undefined : parquetValue(kind, value);
    }),
  }));
}

function parquetValue(kind: FocusColumn['kind'], text: string): string | bigint | Date {
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
  invariant(whole !== '' && fraction.length <= decimalScale, `"${text}" is an amount`);
  return BigInt(`${sign}${whole}${fraction.padEnd(decimalScale, '0')}`);
}
