import { z } from 'zod';
import { AppError } from '../kernel/app-error.ts';
import { LineLog } from './line-log.ts';
import { faultNames } from './simulator-config.ts';
import { trickNames } from './trick-names.ts';
import { attoOfUsd, usdOfAtto } from './simulator-prices.ts';

/*
 * What the simulator charges for: one entry per billed request, written before the first byte of its answer. When the
 * client was gone before it could read the usage, a second line says so, and where only what was produced is billed, how
 * much that was; lines themselves never change. Without the second line the whole answer stays billed.
 * Without a directory the bill lives in memory; totals stay whole while old entries are forgotten at a limit.
 */

const count = z.int().min(0);

const tokensSchema = z.object({
  uncached_input: count,
  cache_read: count,
  cache_write_5m: count,
  cache_write_1h: count,
  text_output: count,
  reasoning: count,
});

const billEntrySchema = z.object({
  /** Its place in the bill, from 0. */
  n: count,
  requestId: z.string(),
  at: z.string(),
  provider: z.enum(['openai', 'anthropic']),
  endpoint: z.enum(['chat.completions', 'responses', 'embeddings', 'messages']),
  modelAsked: z.string(),
  modelAnswered: z.string(),
  /** The service tier that served it. */
  tier: z.string(),
  /** Disjoint classes; the sum of all is what was billed. */
  tokens: tokensSchema,
  /** Decimal text, exact. */
  costUsd: z.string(),
  /** When the client broke the stream off, where only what was produced until then is billed. */
  cutAt: z.string().optional(),
  /** Whether the client was sent the true usage. */
  usageReported: z.boolean(),
  fault: z.enum(faultNames).nullable(),
  /** What a hostile provider did with the answer. */
  trick: z.enum(trickNames).optional(),
  requestHash: z.string(),
  /** The client's x-millrace-call-id, x-millrace-message-id and x-millrace-step. */
  callId: z.string().nullable(),
  messageId: z.string().nullable(),
  step: z.string().nullable(),
  /** The batch that it came in, and its place there. */
  batch: z.object({ id: z.string(), customId: z.string() }).optional(),
});

/** One billed request. */
export type BillEntry = z.output<typeof billEntrySchema>;

const shorteningSchema = z.object({ tokens: tokensSchema, costUsd: z.string(), cutAt: z.string() });

/** What is billed of an answer that its client broke off. */
export type Shortening = z.output<typeof shorteningSchema>;

const billLineSchema = z.union([
  billEntrySchema,
  z.object({ unreported: count }),
  z.object({ shortened: count, by: shorteningSchema }),
]);

/** Sums over the entries from `since` on; the amounts are decimal text in US dollars. */
export interface SimulatorBill {
  readonly totalUsd: string;
  readonly requests: number;
  /** What clients were told the usage of. */
  readonly reportedUsd: string;
  /** What they were billed for without being told. */
  readonly unreportedUsd: string;
  /** The place of the next entry: give it as `since` to see only what follows. */
  readonly next: number;
  readonly entries?: readonly BillEntry[];
}

export interface BillQuestion {
  /** Only entries from this place on; 0 is all. */
  readonly since?: number;
  readonly entries?: boolean;
}

interface Totals {
  requests: number;
  totalAtto: bigint;
  reportedAtto: bigint;
}

export class Bill {
  readonly #log: LineLog | undefined;
  readonly #maxEntries: number;
  #kept: BillEntry[] = [];
  #next = 0;
  readonly #totals: Totals = { requests: 0, totalAtto: 0n, reportedAtto: 0n };
  /** Items of batches that stood in the bill when it was opened. */
  readonly #itemsBefore = new Map<string, Set<string>>();

  private constructor(log: LineLog | undefined, maxEntries: number) {
    this.#log = log;
    this.#maxEntries = maxEntries;
  }

  /** Opens the bill in the directory and goes on with what stands in it, or begins one in memory. */
  static async open(directory: string | undefined, maxEntriesInMemory: number): Promise<Bill> {
    if (directory === undefined) return new Bill(undefined, maxEntriesInMemory);
    const log = await LineLog.open(directory, 'bill.jsonl');
    const bill = new Bill(log, maxEntriesInMemory);
    for (const entry of await bill.#entries()) {
      bill.#next = entry.n + 1;
      addTo(bill.#totals, entry);
      bill.#noteItem(entry);
    }
    return bill;
  }

  /** Bills a request. Resolves once it stands in the bill; only then may the answer begin. */
  async add(entry: Omit<BillEntry, 'n'>): Promise<BillEntry> {
    const placed = { n: this.#next, ...entry };
    this.#next += 1;
    if (this.#log === undefined) this.#keep(placed);
    else await this.#log.append(JSON.stringify(placed));
    addTo(this.#totals, placed);
    return placed;
  }

  /** The client was gone before the usage reached it. */
  async markUnreported(entry: BillEntry): Promise<void> {
    if (!entry.usageReported) return;
    await this.#amend(entry, { ...entry, usageReported: false }, { unreported: entry.n });
  }

  /** The client broke the answer off, and what was produced until then is all that it pays for. */
  async shorten(entry: BillEntry, by: Shortening): Promise<void> {
    await this.#amend(entry, shortened(entry, by), { shortened: entry.n, by });
  }

  async read({ since = 0, entries = false }: BillQuestion = {}): Promise<SimulatorBill> {
    if (since === 0 && !entries) return this.#sums(this.#totals);
    const chosen = (await this.#entries()).filter(({ n }) => n >= since);
    const totals = since === 0 ? this.#totals : sumOf(chosen);
    return { ...this.#sums(totals), ...(entries && { entries: chosen }) };
  }

  /** How often each request was billed, by its hash. */
  async timesBilled(): Promise<Map<string, number>> {
    const times = new Map<string, number>();
    for (const { requestHash } of await this.#entries())
      times.set(requestHash, (times.get(requestHash) ?? 0) + 1);
    return times;
  }

  /** The items of the batch that were billed before this process: one that died in between ends the batch once more. */
  billedBefore(batchId: string): ReadonlySet<string> {
    return this.#itemsBefore.get(batchId) ?? new Set();
  }

  async close(): Promise<void> {
    await this.#log?.close();
  }

  #sums({ requests, totalAtto, reportedAtto }: Totals): SimulatorBill {
    return {
      totalUsd: usdOfAtto(totalAtto),
      requests,
      reportedUsd: usdOfAtto(reportedAtto),
      unreportedUsd: usdOfAtto(totalAtto - reportedAtto),
      next: this.#next,
    };
  }

  #noteItem({ batch }: BillEntry): void {
    if (batch === undefined) return;
    const items = this.#itemsBefore.get(batch.id) ?? new Set();
    this.#itemsBefore.set(batch.id, items.add(batch.customId));
  }

  async #amend(
    before: BillEntry,
    after: BillEntry,
    line: Exclude<z.output<typeof billLineSchema>, BillEntry>,
  ): Promise<void> {
    if (this.#log === undefined) {
      const index = this.#kept.findIndex(({ n }) => n === before.n);
      if (index >= 0) this.#kept[index] = after;
    } else {
      await this.#log.append(JSON.stringify(line));
    }
    addTo(this.#totals, before, -1);
    addTo(this.#totals, after);
  }

  #keep(entry: BillEntry): void {
    this.#kept.push(entry);
    // Forgotten by the half, so that the array is not shifted at each entry.
    if (this.#kept.length > this.#maxEntries) this.#kept = this.#kept.slice(-Math.ceil(this.#maxEntries / 2));
  }

  async #entries(): Promise<BillEntry[]> {
    if (this.#log === undefined) return this.#kept;
    const byPlace = new Map<number, BillEntry>();
    for (const text of await this.#log.readLines()) {
      const line = parseLine(this.#log.path, text);
      if ('n' in line) {
        byPlace.set(line.n, line);
        continue;
      }
      const entry = byPlace.get('shortened' in line ? line.shortened : line.unreported);
      if (entry === undefined) continue;
      byPlace.set(
        entry.n,
        'shortened' in line ? shortened(entry, line.by) : { ...entry, usageReported: false },
      );
    }
    return [...byPlace.values()];
  }
}

function parseLine(path: string, text: string): z.output<typeof billLineSchema> {
  try {
    return billLineSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new AppError(
      'MILLRACE_SIMULATOR_BILL_UNREADABLE',
      `A line of ${path} cannot be read: ${text.slice(0, 200)}`,
      {
        cause,
      },
    );
  }
}

function shortened(entry: BillEntry, by: Shortening): BillEntry {
  return { ...entry, ...by, usageReported: false };
}

function addTo(totals: Totals, entry: BillEntry, times: 1 | -1 = 1): void {
  const atto = attoOfUsd(entry.costUsd) * BigInt(times);
  totals.requests += times;
  totals.totalAtto += atto;
  if (entry.usageReported) totals.reportedAtto += atto;
}

function sumOf(entries: readonly BillEntry[]): Totals {
  const totals = { requests: 0, totalAtto: 0n, reportedAtto: 0n };
  for (const entry of entries) addTo(totals, entry);
  return totals;
}
