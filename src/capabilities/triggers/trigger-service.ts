import type { StageRegistry } from '../../engine/pipeline/stage-registry.ts';
import type { TriggerDefinition } from '../../engine/pipeline/trigger-definition.ts';
import { AppError } from '../../kernel/app-error.ts';
import type { Clock } from '../../kernel/clock.ts';
import { newId } from '../../kernel/ids.ts';
import type { TriggerIntake } from './trigger-intake.ts';

/** An event of this process. */
export interface SentEvent {
  /** Written as the trigger says: JSON in UTF-8. */
  readonly payload: string | Uint8Array;
  readonly key?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** The same for an event that is sent again. Without one every event is new, unless its trigger takes an id from the event. */
  readonly id?: string;
}

/** Triggers as an application uses them: events of its own process become messages as those of brokers do. */
export class TriggerService {
  readonly #registry: Pick<StageRegistry, 'stages'>;
  readonly #intake: Pick<TriggerIntake, 'admit'>;
  readonly #clock: Clock;

  constructor(registry: Pick<StageRegistry, 'stages'>, intake: Pick<TriggerIntake, 'admit'>, clock: Clock) {
    this.#registry = registry;
    this.#intake = intake;
    this.#clock = clock;
  }

  /**
   * Admits an event; durable when it resolves. `unreadable`: no message can be made of it, and it is kept as it came. Throws MILLRACE_NOT_FOUND for a name that no
   * trigger has, MILLRACE_BUDGET_EXHAUSTED, and what the ledger throws.
   */
  async send(trigger: string, event: SentEvent): Promise<'admitted' | 'duplicate' | 'unreadable'> {
    const definition = triggersOf(this.#registry).find(({ name }) => name === trigger);
    if (definition === undefined)
      throw new AppError('MILLRACE_NOT_FOUND', `No trigger has the name "${trigger}".`);
    const headers = Object.entries(event.headers ?? {}).map(
      ([name, value]) => [name.toLowerCase(), value] as const,
    );
    const now = this.#clock.now();
    const outcome = await this.#intake.admit(definition, [
      {
        partition: 'process',
        position: event.id ?? newId(now),
        key: event.key,
        headers: Object.fromEntries(headers),
        payload: Buffer.from(event.payload),
        sentAt: now,
      },
    ]);
    if (outcome.refusal !== undefined) throw outcome.refusal;
    if (outcome.unreadable > 0) return 'unreadable';
    return outcome.admitted > 0 ? 'admitted' : 'duplicate';
  }
}

/** The triggers of all declared pipelines. */
export function triggersOf({ stages }: Pick<StageRegistry, 'stages'>): readonly TriggerDefinition[] {
  const declared = new Set(stages.flatMap(({ definition: { declaration } }) => declaration ?? []));
  return [...declared].flatMap(({ triggers }) => triggers);
}
