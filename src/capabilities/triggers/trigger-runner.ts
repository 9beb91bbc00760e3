import { type Block, stopsWork } from '../../engine/ledger/block.ts';
import type { LedgerCounts } from '../../engine/ledger/ledger-counts.ts';
import type { StageRegistry } from '../../engine/pipeline/stage-registry.ts';
import type { Clock } from '../../kernel/clock.ts';
import { restReasons, type TriggerMetrics } from './trigger-metrics.ts';
import type { TriggerPump } from './trigger-pump.ts';

/** Why nothing is consumed for a trigger by now. */
export type RestReason = (typeof restReasons)[number];

export interface TriggerRunnerOptions {
  readonly pumps: readonly TriggerPump[];
  readonly registry: Pick<StageRegistry, 'stages'>;
  readonly readBlocks: () => Promise<readonly Block[]>;
  readonly counts: Pick<LedgerCounts, 'read'>;
  readonly metrics: TriggerMetrics;
  readonly clock: Clock;
  readonly maxBacklog: number;
}

/** How long a turn lasts; how soon a pause and a backlog are noticed. */
const turnMs = 1000;
const noOrigin = { team: '', customer: '', feature: '' };

/**
 * Runs the triggers of a host side by side, in the one process that has the maintenance role. Each turn looks once for all of them what may be
 * consumed. A trigger that rests, waits or fails holds up none of the others.
 */
export class TriggerRunner {
  readonly #options: TriggerRunnerOptions;

  constructor(options: TriggerRunnerOptions) {
    this.#options = options;
  }

  /** One turn. True when it is to be followed by the next at once. Throws the first failure, when all have ended. */
  async turn(signal: AbortSignal): Promise<boolean> {
    const { pumps, readBlocks, counts, metrics, clock } = this.#options;
    if (pumps.length === 0) return false;
    const untilMs = clock.monotonicMs() + turnMs;
    const [blocks, counted] = await Promise.all([readBlocks(), counts.read()]);
    const waiting = new Map<string, number>();
    for (const { stage, kind, count } of counted)
      if (kind === 'ready' || kind === 'parked') waiting.set(stage, (waiting.get(stage) ?? 0) + count);
    const ends = await Promise.allSettled(
      pumps.map(async (pump) => {
        const reason = this.#restReason(pump, blocks, waiting);
        await (reason === undefined ? pump.run(untilMs, signal) : pump.rest());
        this.#show(pump, reason ?? (pump.refused === undefined ? undefined : 'refused'));
        metrics.set('trigger_lag', { trigger: pump.trigger.name }, await pump.lag());
      }),
    );
    const failed = ends.find((end) => end.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
    // Where nothing is consumed the next look is a pause away.
    return clock.monotonicMs() >= untilMs;
  }

  /** Another process has the role: nothing is shown, and no connection kept. */
  async standBy(): Promise<void> {
    for (const pump of this.#options.pumps) this.#show(pump, undefined);
    await this.close();
  }

  async close(): Promise<void> {
    await Promise.all(this.#options.pumps.map((pump) => pump.close()));
  }

  #restReason(
    { trigger }: TriggerPump,
    blocks: readonly Block[],
    waiting: ReadonlyMap<string, number>,
  ): RestReason | undefined {
    const { registry, maxBacklog } = this.#options;
    const consumers = registry.stages
      .filter(({ definition }) => definition.consumes.typeName === trigger.message.typeName)
      .map(({ definition }) => definition.name);
    const isPaused = consumers.some((stage) =>
      blocks.some((block) => stopsWork(block, { stage, origin: fixedOrigin(trigger.origin) })),
    );
    if (isPaused) return 'pause';
    return consumers.some((stage) => (waiting.get(stage) ?? 0) >= maxBacklog) ? 'backlog' : undefined;
  }

  #show({ trigger: { name: trigger } }: TriggerPump, reason: RestReason | undefined): void {
    for (const one of restReasons)
      this.#options.metrics.set('trigger_resting', { trigger, reason: one }, one === reason ? 1 : 0);
  }
}

/** What is known of the origin of all messages of a trigger. */
function fixedOrigin(rule: TriggerPump['trigger']['origin']): typeof noOrigin {
  if (rule === undefined) return noOrigin;
  const textOf = (part: 'team' | 'customer' | 'feature'): string => {
    const place = rule[part];
    return typeof place === 'object' && 'fixed' in place ? place.fixed : '';
  };
  return { team: textOf('team'), customer: textOf('customer'), feature: textOf('feature') };
}
