import { expect, it } from 'vitest';
import type { MessageSummaryDocument } from './message-documents.ts';
import { messageListText } from './messages-text.ts';

const message: MessageSummaryDocument = {
  id: '0195a000-0000-7000-8000-000000000001',
  rootId: '0195a000-0000-7000-8000-000000000001',
  source: 'test',
  eventId: 'event-1',
  type: 'thing.happened',
  version: 1,
  pipeline: 'default',
  stage: 'first',
  owner: 'platform',
  lane: 'standard',
  origin: { team: 'blue', customer: 'acme', feature: 'search' },
  item: 'item',
  state: 'completed',
  deliveries: 1,
  attempts: 0,
  createdAt: '2026-05-01T12:00:00.000Z',
  calls: 1,
  costUsd: '0',
  unpricedCalls: 0,
  unsettledCalls: 0,
  openUpperBoundUsd: '0',
};

it.each([
  ['nothing', {}, '0.00'],
  ['an unsettled call', { unsettledCalls: 1, openUpperBoundUsd: '0.25' }, 'unknown, at most 0.25'],
  ['an unpriced call', { unpricedCalls: 1 }, 'unknown'],
  [
    'a part unknown',
    { costUsd: '0.5', unpricedCalls: 1, openUpperBoundUsd: '2' },
    '0.50 + unknown, at most 2.00',
  ],
] as const)('a list says what is not known of the cost: %s', (_what, parts, told) => {
  const row = messageListText({ messages: [{ ...message, ...parts }] })
    .split('\n')
    .at(-1);
  expect(row?.replaceAll(/(\.\d\d)0+/g, '$1').trimEnd()).toMatch(
    new RegExp(`\\s1\\s+${told.replaceAll(/[.+]/g, '\\$&')}$`),
  );
});

it('a list names the item as its sender does, and leaves out an id that was made for it', () => {
  const rowOf = (item: string): string =>
    messageListText({ messages: [{ ...message, item }] })
      .split('\n')
      .at(-1) ?? '';
  expect(rowOf('contract-17.txt')).toContain('contract-17.txt');
  expect(rowOf('0195a000-0000-7000-8000-000000000009')).not.toContain('000000000009');
});
