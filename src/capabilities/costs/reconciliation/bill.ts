import type { Usd } from '../../../kernel/money.ts';
import type { TokenClass } from '../../../pricing/token-classes.ts';

/*
 * A provider's bill in one form, whatever it was read from: lines that say how much of what was used on a day (usage), and
 * lines that say what it cost (cost). A request of its own is both at once. Every amount is exact.
 */

/** Whose bills can be read. */
export const billProviders = ['openai', 'anthropic', 'openrouter'] as const;
export type BillProvider = (typeof billProviders)[number];

/**
 * What a line of a bill is about. `all`: the bill does not split it. `unknown`: the bill names a kind of usage that Millrace
 * does not know; the line says which.
 */
export const billMeters = [
  'input',
  'cache_read',
  'cache_write',
  'cache_write_5m',
  'cache_write_1h',
  'audio_input',
  'image_input',
  'output',
  'audio_output',
  'image_output',
  'tools',
  'requests',
  'all',
  'unknown',
] as const;
export type BillMeter = (typeof billMeters)[number];

/** Tokens by what the bill calls them. */
export type MeterCounts = Readonly<Partial<Record<BillMeter, number>>>;

interface LineOfBill {
  /** Where it stands: "file 1, line 12, data.0.results.3". */
  readonly place: string;
  /** "2026-11-30", in UTC. */
  readonly day: string;
  /** As the bill names it; empty where it does not say. */
  readonly model: string;
  /** In the words of prices: "default", "batch", "flex"; absent where the bill does not say. */
  readonly tier?: string;
  /** The API key, project or workspace that was billed, where the bill says so. */
  readonly key?: string;
}

/** How much was used. */
export interface UsageLine extends LineOfBill {
  readonly tokens: MeterCounts;
  /** How many requests; absent where the bill does not count them. */
  readonly requests?: number;
}

/** What was charged. */
export interface CostLine extends LineOfBill {
  readonly meter: BillMeter;
  /** The bill's own word, where the meter is not known. */
  readonly name?: string;
  readonly amountUsd: Usd;
  /** Tokens that the amount is for, where the bill says so. */
  readonly quantity?: number;
}

/** One request with what it used and what it cost. */
export interface RequestLine extends LineOfBill {
  /** The provider's id of it. */
  readonly requestId: string;
  readonly at: Date;
  readonly amountUsd: Usd;
  readonly tokens: Readonly<Partial<Record<TokenClass, number>>>;
  readonly isCancelled: boolean;
}

/** A bill, read. Either `requests`, or `usage` and `costs`. */
export interface Bill {
  readonly provider: BillProvider;
  /** What it was read from: "openai costs, openai usage". */
  readonly form: string;
  readonly usage: readonly UsageLine[];
  readonly costs: readonly CostLine[];
  readonly requests: readonly RequestLine[];
  /** The days that it covers, also those on which it bills nothing, in order. */
  readonly days: readonly string[];
  /** What was not understood, by name: kinds of usage and fields that Millrace does not know. */
  readonly notices: readonly string[];
  /** The last place that its amounts are written to: "0.000001". An amount can be off by half of it for each line. */
  readonly unitUsd: Usd;
}
