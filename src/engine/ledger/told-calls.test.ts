import { expect, it } from 'vitest';
import type { SqlDatabase } from '../../drivers/sql-database/sql-database.ts';
import { AppError } from '../../kernel/app-error.ts';
import { type ToldCall, ToldCalls, toldCallId } from './told-calls.ts';

const sentAt = new Date('2026-11-30T00:00:00Z');
const call: ToldCall = {
  id: toldCallId(sentAt, 'blue', 'k'),
  via: 'otlp',
  origin: { team: 'blue', customer: 'acme', feature: 'search' },
  step: '',
  provider: 'openai',
  model: 'gpt-5-mini',
  operation: 'chat',
  requestKind: 'single',
  sentAt,
  keys: ['k'],
  end: {
    outcome: 'ok',
    settlement: 'reported',
    errorType: undefined,
    answeredModel: undefined,
    tier: 'default',
    providerRequestId: undefined,
    tokens: { text_output: 1 },
    rawUsage: undefined,
    costUsd: undefined,
    upperBoundUsd: undefined,
    priceReference: undefined,
    priceCatalogue: undefined,
    wasteReason: undefined,
    durationMs: 0,
    firstChunkMs: undefined,
  },
};

it('calls that are told while the store is away are not refused, but to be told again', async () => {
  const away = new AppError('MILLRACE_DATABASE_UNAVAILABLE', 'away');
  const database = { transaction: () => Promise.reject(away) } as unknown as SqlDatabase;
  await expect(new ToldCalls(database).record([call, { ...call, keys: ['l'] }])).rejects.toBe(away);
});
