import { createHash } from 'node:crypto';
import { originOf } from '../../examples/documents/origin-rule.ts';
import type { ColumnStore } from '../../src/drivers/column-store/column-store.ts';
import { newId, type Uuid } from '../../src/kernel/ids.ts';
import type { WasteReason } from '../../src/engine/ledger/settlement.ts';
import { invariant } from '../../src/kernel/invariant.ts';
import type { Pricer } from '../../src/pricing/price.ts';
import type { TokenCounts } from '../../src/pricing/token-classes.ts';
import { writeBatch } from '../../src/engine/export/export-batch-writer.ts';
import { bindLines } from '../../src/engine/export/row-text.ts';
import { countsOfCall, renderUsageLine, type UsageRecord } from '../../src/engine/export/usage-record.ts';

/*
 * The two weeks before a live run, as usage records: what is usual, so that the product can say what is not, and a
 * period before the present one to compare with. Records are written as the exporter writes them, and priced by the
 * price book; only the calls are made up. They follow from their numbers, so that two runs at the same hour have the
 * same past: busier by day than by night, quieter at weekends, and with one team that has grown lately.
 */

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const days = 14;
const callsAnHour = 42;
const grownTeam = 'growth';
const grownForDays = 4;

interface KindOfCall {
  readonly stage: string;
  readonly owner: string;
  readonly pipeline: string;
  readonly step: string;
  readonly provider: string;
  readonly model: string;
  readonly feature?: string;
  readonly inputTokens: number;
  readonly outputTokens: number;
}

const documents = { pipeline: 'documents', provider: 'openai', model: 'gpt-5-mini' };
const kinds: readonly KindOfCall[] = [
  {
    ...documents,
    stage: 'summarise',
    owner: 'knowledge',
    step: 'summary',
    inputTokens: 9000,
    outputTokens: 5200,
  },
  {
    ...documents,
    stage: 'summarise',
    owner: 'knowledge',
    step: 'summary',
    inputTokens: 14_000,
    outputTokens: 7000,
  },
  {
    ...documents,
    stage: 'classify',
    owner: 'search',
    step: 'class',
    provider: 'anthropic',
    model: 'claude-haiku-4-5',
    inputTokens: 7000,
    outputTokens: 900,
  },
  {
    pipeline: 'tickets',
    stage: 'answer',
    owner: 'support',
    step: 'answer',
    provider: 'anthropic',
    model: 'claude-haiku-4-5',
    feature: 'ticket-answers',
    inputTokens: 5200,
    outputTokens: 1600,
  },
];

/** Writes the past of `now`. Answers how many calls it had. */
export async function writePastUsage(store: ColumnStore, pricer: Pricer, now: Date): Promise<number> {
  const lastHour = Math.floor(now.getTime() / hourMs) - 1;
  let calls = 0;
  for (let day = days; day >= 0; day -= 1) {
    const lines: string[] = [];
    for (let hour = 23; hour >= 0; hour -= 1) {
      const startMs = (lastHour - day * 24 - hour) * hourMs;
      if (startMs < now.getTime() - days * dayMs) continue;
      for (let number = callsIn(startMs); number > 0; number -= 1) {
        const record = pastCall(startMs, number, { pricer, now });
        if (record !== undefined) lines.push(renderUsageLine(record));
      }
    }
    if (lines.length === 0) continue;
    const id = newId(now);
    const batch = { id, table: 'usage', rows: lines.length, lines: bindLines(id, lines) } as const;
    await writeBatch(store, batch, { mayHaveBeenTried: false });
    calls += lines.length;
  }
  return calls;
}

/** Most at three in the afternoon, least at three at night, half of it at weekends. */
function callsIn(startMs: number): number {
  const time = new Date(startMs);
  const byDay = 1 + 0.6 * Math.cos(((time.getUTCHours() - 15) / 12) * Math.PI);
  const isWeekend = time.getUTCDay() % 6 === 0;
  return Math.round(callsAnHour * byDay * (isWeekend ? 0.5 : 1));
}

function pastCall(
  startMs: number,
  number: number,
  { pricer, now }: { readonly pricer: Pricer; readonly now: Date },
): UsageRecord | undefined {
  const draw = drawsOf(`${startMs} ${number}`);
  const kind = kinds[Math.floor(draw() * kinds.length)];
  invariant(kind !== undefined, 'there is a kind of every call');
  const sentAt = new Date(startMs + Math.floor(draw() * hourMs));
  const document = `package-${Math.floor(draw() * 400)}/${draw() < 0.4 ? 'LICENSE' : 'README.md'}`;
  const night = sentAt.toISOString().slice(0, 10);
  const found = originOf(document, `nightly-${night}`);
  const { feature = found.feature } = kind;
  const isEarly = sentAt.getTime() < now.getTime() - grownForDays * dayMs;
  if (found.team === grownTeam && isEarly && draw() < 0.75) return undefined;
  const { team, customer, batch = '' } = found;
  const tokens = tokensOf(kind, 0.8 + 2.8 * draw(), draw());
  const { provider, model } = kind;
  const pricing = pricer.price({ provider, model, at: sentAt, tier: 'default', batch: false }, tokens);
  invariant(pricing.kind === 'priced', `${model} has a price`);
  const wasteReason = wasteOf(draw());
  return {
    recordId: newId(sentAt),
    recordKind: 'call',
    callId: newId(sentAt),
    sentAt,
    recordedAt: sentAt,
    origin: { team, customer, feature, ...(kind.pipeline === 'documents' ? { batch } : {}) },
    pipeline: kind.pipeline,
    stage: kind.stage,
    owner: kind.owner,
    ...messageOf(sentAt),
    item: kind.pipeline === 'documents' ? document : `ticket-${startMs / hourMs}-${number}`,
    step: kind.step,
    attempt: 1,
    provider,
    model,
    operation: 'chat',
    tier: 'default',
    requestKind: 'single',
    outcome: wasteReason === 'failed' ? 'error' : 'ok',
    settlement: 'reported',
    counts: countsOfCall('reported', true),
    tokens,
    costByClass: pricing.cost.byClass,
    costUsd: pricing.cost.total,
    listCostUsd: pricing.cost.total,
    ...(wasteReason === undefined ? {} : { wasteReason }),
    priceReference: pricing.price.reference,
    priceCatalogue: pricing.price.catalogue,
    durationMs: Math.round(800 + 4000 * draw()),
  };
}

function messageOf(sentAt: Date): { readonly messageId: Uuid; readonly rootId: Uuid } {
  const id = newId(sentAt);
  return { messageId: id, rootId: id };
}

function tokensOf(kind: KindOfCall, size: number, cachedShare: number): TokenCounts {
  const input = Math.round(kind.inputTokens * size);
  const output = Math.round(kind.outputTokens * size);
  const cached = Math.round(input * cachedShare * 0.3);
  const reasoning = kind.provider === 'openai' ? Math.round(output * 0.45) : 0;
  return { uncached_input: input - cached, cache_read: cached, text_output: output - reasoning, reasoning };
}

function wasteOf(draw: number): WasteReason | undefined {
  if (draw < 0.02) return 'failed';
  if (draw < 0.035) return 'invalid_output';
  return draw < 0.04 ? 'aborted' : undefined;
}

/** Numbers from 0 to 1 that follow from a text. */
function drawsOf(text: string): () => number {
  const bytes = createHash('sha256').update(text).digest();
  let place = 0;
  return () => {
    const value = bytes.readUInt16BE(place);
    place = (place + 2) % bytes.length;
    return value / 65_536;
  };
}
