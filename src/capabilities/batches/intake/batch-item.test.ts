import { describe, expect, it } from 'vitest';
import { storedForm } from '../../../messages/message-type.ts';
import { ItemReader } from './batch-item.ts';
import type { ItemParts } from './input/input-record.ts';

const reader = new ItemReader({
  batch: {
    id: '00000000-0000-8000-8000-000000000001',
    origin: { team: 'blue', customer: 'acme', feature: 'search', batch: 'nightly', labels: { run: '1' } },
  },
  checkData: (data) => storedForm('thing', data, 16),
  maxDataBytes: 2000,
  mayNameTeams: true,
});
const read = (parts: Partial<ItemParts>) =>
  reader.read(7, { kind: 'item', place: 7, parts: { data: 1, ...parts } });
/** Deeper than what can be written as JSON. */
const deep: unknown = JSON.parse('['.repeat(200_000) + ']'.repeat(200_000));

describe('an item', () => {
  it.each(['id', 'customer', 'team', 'labels', 'data'] as const)(
    'is faulty where its %s is nested deeper than anything can be',
    async (member) => {
      for (const value of [deep, { region: deep }]) {
        const item = await read({ [member]: value });
        if (item.kind !== 'faulty') throw new Error('It is faulty.');
        expect(item.faults[0]?.field).toMatch(new RegExp(`^${member}`));
      }
    },
  );

  it('has the customer, team and labels that it names, each time', async () => {
    for (let time = 0; time < 2; time += 1) {
      expect(await read({ customer: 'globex', team: 'red', labels: { region: 'eu' } })).toMatchObject({
        kind: 'ready',
        itemId: '7',
        customer: 'globex',
        team: 'red',
        labels: '{"run":"1","region":"eu"}',
      });
      expect(await read({ labels: { region: 'us' } })).toMatchObject({
        customer: undefined,
        team: undefined,
        labels: '{"run":"1","region":"us"}',
      });
    }
  });
});
