import { z } from 'zod';
import { defineStage } from '../../src/engine/pipeline/stage-definition.ts';
import { defineMessage } from '../../src/messages/message-type.ts';
import type { Origin } from '../../src/messages/origin.ts';
import { SeededRandom } from './seeded-random.ts';

/*
 * The batches of a chaos run, as data that follows from the seed: what is sent, and what is done to each while it runs.
 *
 *   letter ─► sort (OpenAI) ─► sorted ─► reply (Anthropic) ─► replied
 */

const part = { key: z.string(), text: z.string() };
const emitted = z.object({ ...part, index: z.number(), cause: z.string() });

export const Letter = defineMessage('chaos.letter').version(1, z.object(part));
export const Sorted = defineMessage('chaos.sorted').version(1, emitted);
export const Replied = defineMessage('chaos.replied').version(1, emitted);

const options = {
  pipeline: 'letters',
  owner: 'support',
  retry: { maxAttempts: 6, backoff: ['50ms', '200ms', '800ms'], jitter: 0.2 },
  concurrency: 12,
  timeout: '60s',
} as const;

export const sort = defineStage('sort', { ...options, consumes: Letter.upTo(1), emits: [Sorted.v1] });
export const reply = defineStage('reply', { ...options, consumes: Sorted.upTo(1), emits: [Replied.v1] });

/** What the handlers ask, of which model. Whoever composes the answers by himself asks the same. */
export const sortQuestion = { provider: 'openai', model: 'gpt-4o-mini', maxOutputTokens: 300 } as const;
export const replyQuestion = {
  provider: 'anthropic',
  model: 'claude-haiku-4-5',
  maxOutputTokens: 300,
} as const;

export function promptOfSort(data: { readonly text: string }): string {
  return `Which department is this letter for?\n${data.text}`;
}

export function promptOfReply(data: { readonly key: string; readonly text: string }): string {
  return `Reply to ${data.key} for this department: ${data.text}`;
}

/** What the provider refuses to answer, always. */
export const refusedWord = 'unprintable';

export interface PlannedItem {
  readonly id: string;
  /** From 1. */
  readonly position: number;
  readonly key: string;
  readonly text: string;
  readonly customer?: string;
  readonly team?: string;
  /** `refused` by the provider whenever it is asked, `unreadable` already when it is taken in. */
  readonly fate: 'sound' | 'refused' | 'unreadable';
}

export type Steering = 'pause' | 'resume' | 'cancel' | 'retry';

/** What an operator does to a batch: when so many of its items have ended, so long after the step before. */
export interface SteeringStep {
  readonly what: Steering;
  readonly atShare: number;
  readonly afterMs: number;
}

export interface PlannedBatch {
  readonly index: number;
  readonly name: string;
  readonly mode: 'online' | 'provider';
  readonly origin: Origin & { readonly batch: string };
  readonly items: readonly PlannedItem[];
  /** Submitted when so much of all work is done. */
  readonly atShare: number;
  readonly steps: readonly SteeringStep[];
}

/** Who has batches run; dead letters that anybody else lets live again are touched by an operator. */
export const batchActor = 'chaos-batches';

/** Percent of a batch's items that have to succeed. */
export const successThreshold = 50;
/** Of all messages that are admitted, so many items are sent beside them. */
const itemShare = 0.2;
const leastItems = 4;
const words = ['parcel', 'tariff', 'signature', 'meter', 'refund', 'complaint', 'notice', 'address'] as const;
const teams = ['support', 'sales', 'research'] as const;
/** Two of them at a time: a chunk in the providers' batches waits for these, however many items it has. */
const chunks = 4;
const mostChunkItems = 500;

/** As it is asked for when the batch is made. */
export function settingsOf({ mode, items }: PlannedBatch): object {
  return {
    mode,
    chunk: { items: Math.min(mostChunkItems, Math.ceil(items.length / chunks)), inFlight: chunks / 2 },
    retry: { chunks: 10, backoffSeconds: 1 },
    tripwire: { share: 100 },
    success: { threshold: successThreshold },
    onInvalid: 'skip',
  };
}

/** All batches of a run: one online, one at the providers, and in longer runs one that is cancelled. */
export function plannedBatches(seed: number, messages: number): readonly PlannedBatch[] {
  const count = messages < 60 ? 2 : 3;
  const size = Math.max(leastItems, Math.round((messages * itemShare) / count));
  return Array.from({ length: count }, (_, index) => plannedBatch(seed, index, size));
}

function plannedBatch(seed: number, index: number, size: number): PlannedBatch {
  const random = new SeededRandom(`batch/${seed}/${index}`);
  const mode = index === 0 || (index === 2 && random.next() < 0.5) ? 'online' : 'provider';
  const origin = {
    team: random.pick(teams),
    customer: `customer-${random.whole(1, 9)}`,
    feature: 'letters',
    batch: `letters-${index}`,
  };
  const namesTeams = index !== 1;
  const unreadableAt = random.whole(2, size);
  const items = Array.from({ length: size }, (_, at): PlannedItem => {
    const position = at + 1;
    const key = `letter-${seed}-${index}-${position}`;
    const isRefused = random.next() < 0.06;
    const length = random.next() < 1 / 12 ? random.whole(300, 400) : random.whole(8, 40);
    const text = Array.from({ length }, () => random.pick(words)).join(' ');
    const customer = random.next() < 0.6 ? { customer: `customer-${random.whole(1, 9)}` } : {};
    const team = random.next() < 0.3 ? { team: random.pick(teams) } : {};
    return {
      id: `item-${index}-${position}`,
      position,
      key,
      text: `${key}: ${text}${isRefused ? ` ${refusedWord}` : ''}`,
      ...customer,
      ...(namesTeams ? team : {}),
      fate: position === unreadableAt ? 'unreadable' : isRefused ? 'refused' : 'sound',
    };
  });
  return {
    index,
    name: origin.batch,
    mode,
    origin,
    items,
    atShare: 0.02 + index * 0.04,
    steps: stepsOf(random, index),
  };
}

function stepsOf(random: SeededRandom, index: number): readonly SteeringStep[] {
  const atShare = random.whole(5, 40) / 100;
  const afterMs = random.whole(500, 2500);
  const step = (what: Steering, of: Partial<SteeringStep> = {}): SteeringStep => ({
    what,
    atShare,
    afterMs: 0,
    ...of,
  });
  switch (index) {
    case 0:
      return [step('pause'), step('resume', { afterMs })];
    case 1:
      return [step('pause'), step('retry', { afterMs }), step('resume')];
    default:
      return random.next() < 0.5 ? [step('cancel')] : [step('cancel'), step('retry', { atShare: 1 })];
  }
}

const itemPattern = /^item-(\d+)-(\d+)$/;

/** The batch and the item whose message has this id of an event. */
export function itemOfEvent(
  batches: readonly PlannedBatch[],
  eventId: string,
): { readonly batch: PlannedBatch; readonly item: PlannedItem } | undefined {
  const [, batchIndex, position] = itemPattern.exec(eventId) ?? [];
  const batch = batches[Number(batchIndex)];
  const item = batch?.items[Number(position) - 1];
  return batch === undefined || item === undefined ? undefined : { batch, item };
}

/** The origin of an item's message. */
export function originOfItem({ origin }: PlannedBatch, { customer, team }: PlannedItem): Origin {
  return {
    ...origin,
    ...(customer === undefined ? {} : { customer }),
    ...(team === undefined ? {} : { team }),
  };
}

/** How many messages the batches come to in all. Outputs are not counted. */
export function batchMessages(batches: readonly PlannedBatch[]): number {
  const each = { sound: 2, refused: 1, unreadable: 0 } as const;
  return batches.flatMap(({ items }) => items).reduce((sum, { fate }) => sum + each[fate], 0);
}

/** The items as JSON Lines, as they are sent. */
export function linesOf({ items }: PlannedBatch): string {
  const lines = items.map(({ id, key, text, customer, team, fate }) =>
    JSON.stringify({ id, data: fate === 'unreadable' ? { key } : { key, text }, customer, team }),
  );
  return `${lines.join('\n')}\n`;
}
