import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { defineMessage } from '../../../messages/message-type.ts';
import { defineTrigger } from '../../../engine/pipeline/trigger-definition.ts';
import type { EventRecord } from '../source/event-source.ts';
import { readEvent } from './read-event.ts';

const Opened = defineMessage('ticket.opened').version(1, z.object({ number: z.number() }));
const origin = { team: 'support', customer: 'acme', feature: 'triage' };
const attributes = { specversion: '1.0', id: 'e1', source: '/desk', type: 'com.desk.opened' };
const originAttributes = { originteam: 'support', origincustomer: 'acme', originfeature: 'triage' };

function recordOf(payload: unknown, headers: Readonly<Record<string, string>> = {}): EventRecord {
  const text = typeof payload === 'string' ? payload : JSON.stringify(payload);
  return {
    partition: 'tickets-3',
    position: '17',
    key: 'T-1',
    headers,
    payload: Buffer.from(text),
    sentAt: undefined,
  };
}

describe('an event', () => {
  const plain = defineTrigger('tickets', {
    message: Opened.v1,
    origin: {
      team: { fixed: 'support' },
      customer: { payload: 'account.id' },
      feature: { header: 'X-Feature' },
      labels: { desk: { payload: 'desk' }, none: { payload: 'constructor.name' } },
    },
    orderBy: 'key',
  });

  it('in plain JSON has its origin by rule, and its position for an id', () => {
    const data = { number: 1, account: { id: 4711 }, desk: 'eu' };
    expect(readEvent(plain, recordOf(data, { 'x-feature': 'triage' }))).toEqual({
      id: 'tickets-3/17',
      source: 'millrace:trigger:tickets',
      type: 'ticket.opened',
      version: 1,
      origin: { ...origin, customer: '4711', labels: { desk: 'eu' } },
      orderKey: 'T-1',
      data,
    });
  });

  it.each([
    ['structured', recordOf({ ...attributes, ...originAttributes, data: { number: 1 } })],
    [
      'binary, as Kafka has it',
      recordOf({ number: 1 }, prefixed('ce_', { ...attributes, ...originAttributes })),
    ],
    [
      'binary, as AMQP has it',
      recordOf({ number: 1 }, prefixed('cloudevents:', { ...attributes, ...originAttributes })),
    ],
  ])('as a CloudEvent, %s, has its own id, source and origin', (_, record) => {
    const trigger = defineTrigger('tickets', { message: Opened.v1, form: 'cloud_event' });
    expect(readEvent(trigger, record)).toEqual({
      id: 'e1',
      source: '/desk',
      type: 'ticket.opened',
      version: 1,
      origin,
      orderKey: undefined,
      data: { number: 1 },
    });
  });

  it.each([
    ['no JSON', '{"number":', 'MILLRACE_EVENT_UNREADABLE'],
    ['no customer', { number: 1 }, 'MILLRACE_ORIGIN_INVALID'],
    ['a customer that is an object', { account: { id: {} } }, 'MILLRACE_ORIGIN_INVALID'],
  ])('with %s is refused', (_, payload, code) => {
    expect(() => readEvent(plain, recordOf(payload, { 'x-feature': 'triage' }))).toThrow(
      expect.objectContaining({ code }),
    );
  });

  it('that is no CloudEvent where one is expected is refused, whatever it is', () => {
    const trigger = defineTrigger('tickets', { message: Opened.v1, form: 'cloud_event' });
    for (const payload of ['[]', 'null', '1', '{}', '{"__proto__":{"specversion":"1.0"}}'])
      expect(() => readEvent(trigger, recordOf(payload)), payload).toThrow(
        expect.objectContaining({ status: 400 }),
      );
  });
});

function prefixed(
  prefix: string,
  values: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [`${prefix}${name}`, value]));
}
