import { ClickHouseError } from '@clickhouse/client';
import { describe, expect, it } from 'vitest';
import { AppError } from '../../kernel/app-error.ts';
import { columnStoreFailure } from './column-store-failure.ts';

const engineError = (type: string): ClickHouseError =>
  new ClickHouseError({ message: 'it is so', code: '1', type });

describe('columnStoreFailure', () => {
  it.each(['TOO_MANY_SIMULTANEOUS_QUERIES', 'NETWORK_ERROR', 'NOT_ENOUGH_SPACE', 'TOO_MANY_PARTS'])(
    'calls %s passing',
    (type) => {
      const failure = columnStoreFailure('The insert failed', engineError(type));
      expect(failure).toMatchObject({ code: 'MILLRACE_COLUMN_STORE_UNAVAILABLE', retryable: true });
      expect(failure.message).toContain(type);
    },
  );

  it.each(['SYNTAX_ERROR', 'UNKNOWN_TABLE', 'AUTHENTICATION_FAILED', 'CANNOT_PARSE_INPUT_ASSERTION_FAILED'])(
    'calls %s final',
    (type) => {
      expect(columnStoreFailure('The query failed', engineError(type))).toMatchObject({
        code: 'MILLRACE_COLUMN_STORE_FAILED',
        retryable: false,
      });
    },
  );

  it.each(['MEMORY_LIMIT_EXCEEDED', 'CANNOT_ALLOCATE_MEMORY'])('says that %s is about memory', (type) => {
    expect(columnStoreFailure('The query failed', engineError(type))).toMatchObject({
      code: 'MILLRACE_COLUMN_STORE_OUT_OF_MEMORY',
      retryable: true,
    });
  });

  it('calls a lost connection passing, although it has a code too', () => {
    const error = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
    expect(columnStoreFailure('The query failed', error)).toMatchObject({
      code: 'MILLRACE_COLUMN_STORE_UNAVAILABLE',
      cause: error,
    });
  });

  it('leaves a decided error as it is', () => {
    const decided = new AppError('MILLRACE_DATA_IN_USE', 'in use');
    expect(columnStoreFailure('opening', decided)).toBe(decided);
  });
});
