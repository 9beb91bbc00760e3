import { Draws } from '../draws.ts';
import type { SimulatedProvider } from '../simulator-prices.ts';
import type { BatchFaultName, BatchRule } from './batch-config.ts';
import type { BatchFaults } from './batch-records.ts';

/** A rule and how often it has struck. */
export type CountedBatchRule = BatchRule & { readonly struck: number };

/** What rules are matched against. */
export interface BatchQuestion {
  readonly provider: SimulatedProvider;
  readonly content: Buffer;
  /** What the draws follow from, with the seed. */
  readonly number: number;
  /** The faults that can strike here. */
  readonly among: ReadonlySet<BatchFaultName>;
}

/** Which faults strike a batch, a file or a download: every rule that matches and whose draw hits. */
export class BatchRules {
  readonly #seed: number;
  #rules: { readonly rule: BatchRule; struck: number }[];

  constructor(seed: number, rules: readonly BatchRule[]) {
    this.#seed = seed;
    this.#rules = rules.map((rule) => ({ rule, struck: 0 }));
  }

  /** Puts other rules in force, with their counts at zero. */
  replace(rules: readonly BatchRule[]): void {
    this.#rules = rules.map((rule) => ({ rule, struck: 0 }));
  }

  list(): CountedBatchRule[] {
    return this.#rules.map(({ rule, struck }) => ({ ...rule, struck }));
  }

  /** The faults that strike, each of which counts as one strike of its rule. */
  strike({ provider, content, number, among }: BatchQuestion): BatchFaults {
    const faults: BatchFaults = {};
    for (const [index, counted] of this.#rules.entries()) {
      const { match, fault, probability, times, share, delayMs } = counted.rule;
      if (!among.has(fault) || (times !== undefined && counted.struck >= times)) continue;
      if (match.provider !== undefined && match.provider !== provider) continue;
      if (match.contains !== undefined && !content.includes(match.contains)) continue;
      if (new Draws(this.#seed, number, index).stream('batch fault')() >= probability) continue;
      counted.struck += 1;
      faults[fault] = { share, delayMs };
    }
    return faults;
  }
}

const uploadFaultNames = ['upload_refused', 'upload_error_after', 'upload_cut_after'] as const;
const outputFileFaultNames = ['output_null', 'output_absent', 'output_blank'] as const;

export const uploadFaults: ReadonlySet<BatchFaultName> = new Set(uploadFaultNames);
export const downloadFaults: ReadonlySet<BatchFaultName> = new Set(['cut_download']);
export const pollFaults: ReadonlySet<BatchFaultName> = new Set(['poll_error']);

const anthropicFaults = [
  'create_refused',
  'create_error_after',
  'create_cut_after',
  'slow',
  'lose',
  'lie_counts',
  'output_empty',
  'fail_items',
  'lose_lines',
  'repeat_lines',
  'break_lines',
  'foreign_line',
] as const;

/** The faults of a whole batch, by provider. */
export const batchFaults: Readonly<Record<SimulatedProvider, ReadonlySet<BatchFaultName>>> = {
  openai: new Set([
    ...anthropicFaults,
    ...outputFileFaultNames,
    'output_lost',
    'fail_late',
    'lie_usage',
    'status_zero',
  ]),
  anthropic: new Set(anthropicFaults),
};
