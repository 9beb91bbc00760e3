import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isPrintableName } from '../kernel/printable-name.ts';
import { AppError } from '../kernel/app-error.ts';
import { parseCloudEvent, toCloudEvent } from './cloud-event.ts';
import type { Message } from './message.ts';

const name = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 40 })
  .filter((text) => isPrintableName(text) && text.trim() === text && text.length <= 128);
const source = fc.webUrl().map((url) => url.slice(0, 500));
const origin = fc.record(
  {
    team: name,
    customer: name,
    feature: name,
    batch: name,
    labels: fc.dictionary(fc.stringMatching(/^[a-z][a-z0-9_.-]{0,20}$/), name, { minKeys: 1, maxKeys: 16 }),
  },
  { requiredKeys: ['team', 'customer', 'feature'] },
);
const moment = fc.date({ min: new Date(0), max: new Date('9999-12-31'), noInvalidDate: true });
const messages: fc.Arbitrary<Message> = fc.record({
  id: fc.uuid(),
  rootId: fc.uuid(),
  parentId: fc.option(fc.uuid(), { nil: undefined }),
  source,
  eventId: name,
  type: fc.stringMatching(/^[a-z]{1,20}(?:\.[a-z]{1,10}){0,3}$/),
  version: fc.integer({ min: 1, max: 1000 }),
  pipeline: name,
  stage: name,
  owner: name,
  lane: fc.constantFrom('interactive', 'standard', 'bulk', 'short'),
  origin,
  item: name,
  traceParent: fc.constant('00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'),
  createdAt: moment,
  admittedAt: moment,
  data: fc.jsonValue(),
});

const minimal = {
  specversion: '1.0',
  id: 'a',
  source: '/helpdesk',
  type: 'ticket.opened',
  originteam: 'support',
  origincustomer: 'acme',
  originfeature: 'triage',
};

function refusalOf(value: unknown): AppError {
  try {
    parseCloudEvent(value);
  } catch (error) {
    if (error instanceof AppError) return error;
    throw error;
  }
  throw new Error('the event was accepted');
}

describe('a CloudEvent', () => {
  it('carries a message through JSON and back', () => {
    fc.assert(
      fc.property(messages, (message) => {
        const event: unknown = JSON.parse(JSON.stringify(toCloudEvent(message)));
        expect(parseCloudEvent(event)).toEqual({
          id: message.eventId,
          source: message.source,
          type: message.type,
          version: message.version,
          time: message.createdAt,
          origin: message.origin,
          item: message.item,
          lane: message.lane,
          traceParent: message.traceParent,
          // JSON knows no negative zero.
          data: JSON.parse(JSON.stringify(message.data)) as unknown,
        });
      }),
    );
  });

  it('has attribute names of lower-case letters and digits only', () => {
    fc.assert(
      fc.property(messages, (message) => {
        for (const key of Object.keys(toCloudEvent(message))) expect(key).toMatch(/^[a-z0-9]+$/);
      }),
    );
  });

  it('needs no more than the specification and the origin', () => {
    expect(parseCloudEvent(minimal)).toEqual({
      id: 'a',
      source: '/helpdesk',
      type: 'ticket.opened',
      version: 1,
      origin: { team: 'support', customer: 'acme', feature: 'triage' },
      data: undefined,
    });
  });

  it('may have extensions that are not known', () => {
    expect(parseCloudEvent({ ...minimal, partitionkey: 'x', sequence: 7, schemaversion: '3' }).version).toBe(
      3,
    );
  });

  it.each([
    ['specversion', '1.1'],
    ['specversion', undefined],
    ['id', ''],
    ['id', 7],
    ['id', 'x'.repeat(513)],
    ['id', 'a\u0000'],
    ['source', ''],
    ['source', 'with space'],
    ['source', '/v1/batches/0199a0f0-0000-7000-8000-000000000000'],
    ['type', undefined],
    ['time', 'yesterday'],
    ['time', '2026-03-01T10:00:00'],
    ['datacontenttype', 'text/xml'],
    ['data_base64', 'aGVsbG8='],
    ['schemaversion', 0],
    ['schemaversion', 1.5],
    ['schemaversion', '1e3'],
    ['schemaversion', 3_000_000_000],
    ['originlabels', '{'],
    ['originlabels', { region: 'eu' }],
    ['lane', ''],
    ['traceParent', '00-x'],
    ['origin-team', 'support'],
  ])('is refused with %s = %j', (field, value) => {
    const refusal = refusalOf({ ...minimal, [field]: value });
    expect(refusal.code).toBe('MILLRACE_REQUEST_INVALID');
    expect(new Set(refusal.faults.map((fault) => fault.field))).toEqual(new Set([field]));
  });

  it.each([
    ['originteam', undefined],
    ['originteam', ''],
    ['origincustomer', 7],
    ['originfeature', ' x'],
    ['originbatch', 'x'.repeat(129)],
    ['originlabels', '[1]'],
    ['originlabels', '{"__proto__":"x"}'],
  ])('is refused for its origin with %s = %j', (field, value) => {
    const refusal = refusalOf({ ...minimal, [field]: value });
    expect(refusal.code).toBe('MILLRACE_ORIGIN_INVALID');
    expect(new Set(refusal.faults.map((fault) => fault.field.split('.')[0]))).toEqual(new Set([field]));
  });

  it('names all faults at once', () => {
    const refusal = refusalOf({ ...minimal, id: '', originteam: '', originLabels: '{}' });
    expect(new Set(refusal.faults.map((fault) => fault.field))).toEqual(
      new Set(['id', 'originLabels', 'originteam']),
    );
  });

  it('is an object', () => {
    for (const value of [undefined, null, 'x', 1, [], [minimal]]) {
      expect(refusalOf(value).code).toBe('MILLRACE_REQUEST_INVALID');
    }
  });

  it('never fails otherwise than by refusing', () => {
    const attributes = fc.constantFrom(
      ...Object.keys(minimal),
      'originlabels',
      'schemaversion',
      'data',
      'time',
    );
    fc.assert(
      fc.property(fc.dictionary(attributes, fc.jsonValue()), (changes) => {
        try {
          parseCloudEvent({ ...minimal, ...changes });
        } catch (error) {
          expect(error).toBeInstanceOf(AppError);
        }
      }),
    );
  });
});
