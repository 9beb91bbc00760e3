import type {
  IdempotencyKey,
  NewRequest,
  RequestLedger,
} from '../../src/capabilities/requests/intake/request-ledger.ts';
import { newRequestId } from '../../src/messages/request-id.ts';
import {
  badIds,
  badNumbers,
  badTexts,
  type PoisonCase,
  poisoned,
  poisonedField,
  tooLong,
} from '../support/poison.ts';
import { odd } from './poison-cases.ts';

/** Requests, every other one with a key of its own. */
export function requests(ledger: RequestLedger): PoisonCase<NewRequest> {
  const origin =
    (part: keyof NewRequest['origin']) =>
    (row: NewRequest, value: unknown): NewRequest => ({ ...row, origin: { ...row.origin, [part]: value } });
  const idempotency =
    (part: keyof IdempotencyKey) =>
    (row: NewRequest, value: unknown): NewRequest => ({
      ...row,
      idempotency: { key: row.id, fingerprint: 'f', forMs: 1000, [part]: value },
    });
  return {
    name: 'requests',
    covers: ['requests.write'],
    row: (index) => {
      const id = newRequestId(new Date());
      return {
        id,
        origin: { team: 'blue', customer: odd(index), feature: 'search' },
        pipeline: 'p',
        type: 't',
        version: 1,
        actor: 'key:test',
        options: { onDisconnect: 'continue', disconnectGraceMs: 0, webhook: undefined },
        idempotency: index % 2 === 0 ? undefined : { key: id, fingerprint: 'f', forMs: 1000 },
      };
    },
    refused: [
      ...poisoned<NewRequest>('customer', badTexts, origin('customer')),
      ...poisoned<NewRequest>('labels', [{ size: 1n }] as unknown[], origin('labels')),
      ...poisonedField<NewRequest>('id', badIds),
      ...poisonedField<NewRequest>('version', badNumbers),
      ...poisoned<NewRequest>('key', [...badTexts, tooLong], idempotency('key')),
      ...poisoned<NewRequest>('fingerprint', badTexts, idempotency('fingerprint')),
      ...poisoned<NewRequest>('options', ['perhaps'], (row) => ({
        ...row,
        options: { ...row.options, onDisconnect: 'perhaps' as never },
      })),
    ],
    write: async (row) => (await ledger.write(row)) instanceof Date,
    expected: true,
  };
}
