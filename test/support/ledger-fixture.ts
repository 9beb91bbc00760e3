import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { newId } from '../../src/kernel/ids.ts';
import type { Reservation, CallSettlement } from '../../src/ledger/call-ledger.ts';
import { usd } from '../../src/kernel/money.ts';
import { type Admission, MessageLedger } from '../../src/ledger/message-ledger.ts';

/** A message as the tests of the ledger admit it; parts may be given. */
export function someAdmission(parts: Partial<Admission['envelope']> = {}, json = '{"n":1}'): Admission {
  const id = parts.id ?? newId(new Date());
  return {
    envelope: {
      id,
      source: 'test',
      eventId: id,
      type: 'thing.happened',
      version: 1,
      pipeline: 'default',
      stage: 'first',
      owner: 'platform',
      lane: 'standard',
      origin: { team: 'blue', customer: 'acme', feature: 'search' },
      item: id,
      traceParent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`,
      ...parts,
    },
    body: { kind: 'inline', json },
    bodyBytes: json.length,
  };
}

export function someLedger(database: SqlDatabase, worker = 'worker-1'): MessageLedger {
  return new MessageLedger({ database, clock: systemClock, worker });
}

export function someReservation(
  parts: Partial<Reservation> & Pick<Reservation, 'id' | 'message'>,
): Reservation {
  return {
    origin: undefined,
    step: 'answer',
    ordinal: 0,
    attempt: 1,
    provider: 'openai',
    model: 'gpt-5-mini',
    operation: 'chat',
    tier: 'default',
    requestKind: 'single',
    requestDigest: 'digest',
    upperBoundUsd: usd('0.5'),
    ...parts,
  };
}

export function someSettlement(parts: Partial<CallSettlement> & Pick<CallSettlement, 'id'>): CallSettlement {
  return {
    state: 'settled',
    outcome: 'ok',
    settlement: 'reported',
    errorType: undefined,
    answeredModel: 'gpt-5-mini-2025-08-07',
    tier: 'default',
    providerRequestId: 'req_1',
    tokens: { uncached_input: 10, text_output: 5 },
    rawUsage: '{}',
    costUsd: usd('0.000012345678901234'),
    upperBoundUsd: undefined,
    priceReference: 'genai:openai/gpt-5-mini@always',
    priceCatalogue: 'genai',
    wasteReason: undefined,
    durationMs: 12,
    firstChunkMs: undefined,
    answer: { json: '{"text":"hello"}' },
    line: `{"record_id":"${parts.id}"}`,
    ...parts,
  };
}
