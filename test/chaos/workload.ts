import { createHash } from 'node:crypto';
import { z } from 'zod';
import { defineMessage } from '../../src/messages/message-type.ts';
import type { Origin } from '../../src/messages/origin.ts';
import type { Lane } from '../../src/engine/pipeline/lane.ts';
import { defineStage } from '../../src/engine/pipeline/stage-definition.ts';
import { oddCustomers, type OddData, odditiesOf } from './odd-input.ts';
import { SeededRandom } from './seeded-random.ts';

/*
 * The work of a chaos run, as data: what is admitted follows from the seed, and what each message must leave behind
 * follows from its data, so that a checker can tell afterwards what should be there.
 *
 *   ticket ─► triage ─┬─► triaged ─► answer (a stream) ─► answered
 *                     │      └─────► index (embeddings)
 *                     └─► part × n ─► enrich (a tool loop) ─► enriched
 *   report ─► outline (two models) ─► section × n ─► write (JSON) ─► written
 *                                 └─► leaf × m ─► turn (no model), and bind when all of these have ended, or a quorum of them has
 */

/** What every emission carries: whose it is, its place in the order, and a digest of the answers that led to it. */
const odd = z.record(z.string(), z.unknown()).optional();
const emitted = z.object({
  key: z.string(),
  index: z.number(),
  cause: z.string(),
  text: z.string(),
  odd,
});

const admitted = z.object({ key: z.string(), parts: z.number(), text: z.string(), odd });

/** Version 2 is what hosts of the second release send; version 1 becomes it. */
export const Ticket = defineMessage('chaos.ticket')
  .version(1, admitted)
  .version(2, admitted.extend({ topic: z.string() }), (ticket) => ({
    ...ticket,
    topic: topicOf(ticket.text),
  }));
export const Triaged = defineMessage('chaos.triaged').version(1, emitted);
export const Part = defineMessage('chaos.part').version(1, emitted);
export const Answered = defineMessage('chaos.answered').version(1, emitted);
export const Enriched = defineMessage('chaos.enriched').version(1, emitted);
export const Report = defineMessage('chaos.report').version(1, admitted);
export const Section = defineMessage('chaos.section').version(1, emitted);
export const Written = defineMessage('chaos.written').version(1, emitted);
export const Leaf = defineMessage('chaos.leaf').version(1, emitted);
export const Bound = defineMessage('chaos.bound').version(1, emitted);

// Short pauses: a run's length is to go into work, and the host's own pauses are fixed.
export const maxAttempts = 6;
const retry = { maxAttempts, backoff: ['50ms', '200ms', '800ms'], jitter: 0.2 } as const;
const tickets = { pipeline: 'tickets', owner: 'support', retry, concurrency: 24, timeout: '60s' } as const;
const reports = { pipeline: 'reports', owner: 'research', retry, concurrency: 24, timeout: '60s' } as const;

// Few at once where work comes in, so that lanes and customers wait there for their turn.
const entry = { concurrency: 6, shortBelowTokens: 60 } as const;
const triageOptions = { ...tickets, ...entry, emits: [Triaged.v1, Part.v1] } as const;

export const triage = defineStage('triage', { ...triageOptions, consumes: Ticket.upTo(1) });
/** As the second release has it. */
export const triageOfRelease2 = defineStage('triage', { ...triageOptions, consumes: Ticket.upTo(2) });
export const answer = defineStage('answer', { ...tickets, consumes: Triaged.upTo(1), emits: [Answered.v1] });
export const indexing = defineStage('index', { ...tickets, consumes: Triaged.upTo(1) });
export const enrich = defineStage('enrich', {
  ...tickets,
  consumes: Part.upTo(1),
  emits: [Enriched.v1],
  lane: ({ data }) => laneOfKey(data.key),
});
export const outline = defineStage('outline', {
  ...reports,
  ...entry,
  consumes: Report.upTo(1),
  emits: [Section.v1, Leaf.v1],
  joins: [Bound.v1],
});
export const turn = defineStage('turn', { ...reports, consumes: Leaf.upTo(1) });
export const bind = defineStage('bind', { ...reports, consumes: Bound.upTo(1) });
/** The sections of a report one after another. */
export const write = defineStage('write', {
  ...reports,
  consumes: Section.upTo(1),
  emits: [Written.v1],
  orderBy: ({ data }) => data.key.split('/')[0],
});

/** Something to be admitted. */
export interface Admitted {
  readonly index: number;
  /** The sender's id of the event, by which a repeated admission is known. */
  readonly eventId: string;
  readonly kind: 'ticket' | 'report';
  readonly data: {
    readonly key: string;
    readonly parts: number;
    readonly text: string;
    readonly odd?: OddData;
  };
  readonly origin: Origin;
  /** The lane that it is given; the stage decides about the others. */
  readonly lane?: Lane;
}

const teams = ['support', 'sales', 'research'] as const;
const words = [
  'invoice',
  'delivery',
  'refund',
  'contract',
  'outage',
  'password',
  'upgrade',
  'report',
  'meter',
  'weir',
] as const;

/** Who sends more than all others together, and whose money is scarce. */
const floodCustomer = 'customer-1';
export const scarceCustomer = 'customer-2';

function laneOfKey(key: string): Lane | undefined {
  const byte = createHash('sha256').update(`lane ${key}`).digest().readUInt8(0);
  return byte < 100 ? 'interactive' : byte < 200 ? 'bulk' : undefined;
}

/** What version 2 of a ticket says more. */
export function topicOf(text: string): string {
  return text.split(' ')[1] ?? '';
}

/** The `index`-th admission of a run. Every text is its own, so that no two messages ask a model the same. */
export function admittedAt(seed: number, index: number): Admitted {
  const random = new SeededRandom(`workload/${seed}/${index}`);
  const kind = random.next() < 0.6 ? 'ticket' : 'report';
  const oddities = odditiesOf(random.branch('odd'));
  const key = `${kind}-${seed}-${index}${oddities.keyEnd}`;
  // One in twelve lies in the payload store instead of the ledger.
  const length = random.next() < 1 / 12 ? random.whole(300, 500) : random.whole(8, 60);
  const text = Array.from({ length }, () => random.pick(words)).join(' ');
  const parts = kind === 'ticket' ? random.whole(0, 2) : random.whole(1, 3);
  const lane = laneOfKey(key);
  return {
    index,
    eventId: `event-${index}${oddities.idEnd}`,
    kind,
    data: {
      key,
      parts,
      text: `${key}: ${text}${oddities.text}`,
      ...(oddities.data === undefined ? {} : { odd: oddities.data }),
    },
    origin: {
      team: random.pick(teams),
      customer: random.next() < 0.6 ? floodCustomer : customerOf(random.whole(2, 12)),
      feature: kind === 'ticket' ? 'inbox' : 'insights',
      ...(random.next() < 0.5 ? { batch: random.pick(['batch-1', 'batch-2', "batch “3” ‹'\\›"]) } : {}),
      ...(random.next() < 0.3 ? { labels: { region: random.pick(['eu', 'us', 'Österreich 🦊']) } } : {}),
    },
    ...(lane === undefined ? {} : { lane }),
  };
}

function customerOf(place: number): string {
  const name = `customer-${place}`;
  return Object.entries(oddCustomers).find(([plain]) => plain === name)?.[1] ?? name;
}

/** The place in the workload of an admission, by the sender's id. */
export function indexOfEvent(eventId: string): number {
  return Number(/^event-(\d+)/.exec(eventId)?.[1]);
}

/** How many messages an admitted one comes to in all, when nothing is given up on. Outputs are not counted. */
export function messagesOf({ kind, data }: Pick<Admitted, 'kind' | 'data'>): number {
  if (isGuilty(data.key)) return 1;
  if (kind === 'ticket') return 3 + data.parts;
  return 1 + data.parts + (isBound(data) ? leavesOf(data.key) + 1 : 0);
}

/** Whether what follows from a report is waited for. */
export function isBound({ parts }: { readonly parts?: number | undefined }): boolean {
  return (parts ?? 0) >= 2;
}

/** How many leaves a report has: few, and now and then as many as make 200 branches with its sections. */
export function leavesOf(key: string): number {
  const byte = createHash('sha256').update(`leaves ${key}`).digest().readUInt8(0);
  return byte < 4 ? 197 : byte % 6;
}

/** How many sections and leaves of a report have to succeed before it is bound; undefined: all have to end. */
export function quorumOf(key: string, branches: number): number | undefined {
  return isOneOf256('quorum', key, 96) ? Math.max(1, branches - 1) : undefined;
}

/** What a message that was completed has emitted: a line for each, "consuming stage (or type of output) #index". */
export function expectedEmissions(
  stage: string,
  data: { readonly key: string; readonly parts?: number | undefined },
): readonly string[] {
  const parts = Array.from({ length: data.parts ?? 0 }, (_, index) => index);
  switch (stage) {
    case 'triage':
      return [
        'answer chaos.triaged #0',
        'index chaos.triaged #0',
        ...parts.map((index) => `enrich chaos.part #${index}`),
      ];
    case 'outline':
      return [
        ...parts.map((index) => `write chaos.section #${index}`),
        ...(isBound(data)
          ? [
              ...Array.from({ length: leavesOf(data.key) }, (_, index) => `turn chaos.leaf #${index}`),
              'bind chaos.bound #0',
            ]
          : []),
      ];
    case 'answer':
      return ['- chaos.answered #0'];
    case 'enrich':
      return ['- chaos.enriched #0'];
    case 'write':
      return ['- chaos.written #0'];
    case 'sort':
      return ['reply chaos.sorted #0'];
    case 'reply':
      return ['- chaos.replied #0'];
    default:
      return [];
  }
}

/** What a handler's answers come to, in its result and in all of its emissions. */
export function causeOf(...texts: readonly string[]): string {
  const hash = createHash('sha256');
  for (const text of texts) hash.update(`${text.length}:${text}`);
  return hash.digest('hex').slice(0, 24);
}

function isOneOf256(what: string, key: string, share: number): boolean {
  return createHash('sha256').update(`${what} ${key}`).digest().readUInt8(0) < share;
}

/** Handlers of these messages fail once after their model has answered, as code does when the weather is bad. */
export function isStormy(key: string): boolean {
  return isOneOf256('storm', key, 32);
}

/** Handlers of these messages fail whenever they are tried. Only where nothing follows. */
export function isCursed(stage: string, key: string): boolean {
  return (stage === 'enrich' || stage === 'write') && isOneOf256('curse', key, 8);
}

/** The sections of these reports have a key that no store can hold, which shows when they are to be written. */
export function isGuilty(key: string): boolean {
  return key.startsWith('report-') && !key.includes('/') && isOneOf256('guilt', key, 12);
}
