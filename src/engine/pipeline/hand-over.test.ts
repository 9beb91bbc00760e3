import { describe, expect, it } from 'vitest';
import type { Emission } from '../ledger/message-changes.ts';
import type { LeasedMessage } from '../ledger/stored-message.ts';
import { HandOver, leasedAdmission, leasedEmission, type LocalSlot } from './hand-over.ts';

const times = { createdAt: new Date(1), availableAt: new Date(2) };
const parent: LeasedMessage = {
  envelope: {
    id: 'p',
    rootId: 'r',
    parentId: undefined,
    source: 'test',
    eventId: 'p',
    type: 'thing',
    version: 1,
    pipeline: 'default',
    stage: 'first',
    owner: 'platform',
    lane: 'bulk',
    origin: { team: 't', customer: 'c', feature: 'f', labels: { a: 'b' } },
    item: 'readme',
    traceParent: '00-1',
    createdAt: new Date(0),
    admittedAt: new Date(0),
  },
  body: { kind: 'inline', json: '{}' },
  fencingToken: 3,
  deliveries: 4,
  attempts: 1,
  invalidOutputAttempts: 1,
  priorAttempts: 1,
  expiredLeases: 1,
  availableAt: new Date(0),
  orderKey: undefined,
  hops: 6,
  branchId: undefined,
  endsBranch: false,
  joinId: undefined,
  isExpired: false,
};

function emission(id: string, parts: Partial<Emission> = {}): Emission {
  return {
    id,
    source: 'millrace/default/first',
    type: 'thing.done',
    version: 2,
    pipeline: 'default',
    stage: 'second',
    owner: 'platform',
    lane: 'standard',
    traceParent: '00-2',
    body: { kind: 'inline', json: '{"n":1}' },
    bodyBytes: 7,
    ...parts,
  };
}

/** A process with so many free slots, of any stage. */
function process(free: number) {
  const begun: { readonly message: LeasedMessage; readonly askedAtMs: number }[] = [];
  const state = { free, begun };
  const slotFor = (): LocalSlot | undefined => {
    if (state.free === 0) return undefined;
    state.free -= 1;
    return {
      leaseMs: 15_000,
      release: () => (state.free += 1),
      begin: async (message, { askedAtMs }) => void begun.push({ message, askedAtMs }),
    };
  };
  return { state, slotFor };
}

describe('HandOver', () => {
  it('takes a slot for each emission that a stage consumes, while there are any, and none for those with a key', () => {
    const { state, slotFor } = process(2);
    const messages = [
      emission('a', { stage: '' }),
      emission('b', { orderKey: 'k' }),
      emission('c'),
      emission('d'),
      emission('e'),
    ];
    const { leasesMs } = new HandOver(messages, 5, slotFor);
    expect(leasesMs).toEqual([undefined, undefined, 15_000, 15_000, undefined]);
    expect(state.free).toBe(0);
  });

  it('begins what is leased, with what it inherits, and gives the other slots back before their stages are told', async () => {
    const { state, slotFor } = process(2);
    const handOver = new HandOver([emission('c'), emission('d'), emission('e')], 5, slotFor);
    const told: unknown[] = [];
    await handOver.begin(
      new Map([['d', times]]),
      (one, at) => leasedEmission(parent, one, at),
      ({ id }, isBegun) => told.push([id, isBegun, state.free]),
    );
    expect(told).toEqual([
      ['c', false, 1],
      ['d', true, 1],
      ['e', false, 1],
    ]);
    const { envelope } = parent;
    expect(state.begun).toEqual([
      {
        askedAtMs: 5,
        message: {
          ...parent,
          envelope: {
            ...envelope,
            id: 'd',
            eventId: 'd',
            parentId: 'p',
            source: 'millrace/default/first',
            type: 'thing.done',
            version: 2,
            stage: 'second',
            lane: 'standard',
            traceParent: '00-2',
            createdAt: times.createdAt,
          },
          body: { kind: 'inline', json: '{"n":1}' },
          fencingToken: 1,
          deliveries: 1,
          attempts: 0,
          invalidOutputAttempts: 0,
          priorAttempts: 0,
          expiredLeases: 0,
          availableAt: times.availableAt,
          hops: 7,
        },
      },
    ]);
  });

  it('gives every slot back when nothing was written', () => {
    const { state, slotFor } = process(3);
    new HandOver([emission('c'), emission('d')], 5, slotFor).giveUp();
    expect(state).toEqual({ free: 3, begun: [] });
  });

  it('gives an admitted message as a claim would: the root of its tree', () => {
    const {
      rootId: _root,
      parentId: _parent,
      createdAt: _created,
      admittedAt: _at,
      ...envelope
    } = parent.envelope;
    const leased = leasedAdmission({ envelope, body: parent.body, bodyBytes: 2 }, times);
    expect(leased).toMatchObject({
      envelope: {
        id: 'p',
        rootId: 'p',
        parentId: undefined,
        createdAt: times.createdAt,
        admittedAt: times.createdAt,
      },
      fencingToken: 1,
      deliveries: 1,
      availableAt: times.availableAt,
      hops: 0,
    });
  });
});
