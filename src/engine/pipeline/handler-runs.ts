import { AppError } from '../../kernel/app-error.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { Uuid } from '../../kernel/ids.ts';
import { invariant } from '../../kernel/invariant.ts';
import { readableError } from '../../kernel/readable-error.ts';
import type { MeteredModels } from '../calls/metered-models.ts';
import type { EventWaits } from '../ledger/event-waits.ts';
import type { Joins } from '../ledger/joins.ts';
import type { MessageLedger } from '../ledger/message-ledger.ts';
import type { Emissions } from './emissions.ts';
import { defaultMaxHops, refuseBeyondHops } from './hop-bound.ts';
import { refuseStalled } from './expired-leases.ts';
import type { MessageBodies } from './message-bodies.ts';
import { Joined } from './joined.ts';
import { awaitNewerProcess } from './newer-version.ts';
import { orAbort } from './or-abort.ts';
import { leaseExpired, type Run } from './run.ts';
import { contextOf, invalidateOutput } from './run-context.ts';
import type { RunStop } from './run-stop.ts';

export interface HandlerRunsOptions {
  readonly ledger: Pick<MessageLedger, 'pathTo'>;
  readonly meteredModels: MeteredModels;
  readonly bodies: MessageBodies;
  readonly joins: Pick<Joins, 'find' | 'branches'>;
  readonly eventWaits: Pick<EventWaits, 'issue'>;
  readonly clock: Clock;
  readonly stop: RunStop;
  /** The most emissions between an admitted message and one that follows from it. Default 100. */
  readonly maxHops?: number | undefined;
}

/** The middle of runs: reads and checks the data, and calls the handler within its time limit. */
export class HandlerRuns {
  readonly #options: HandlerRunsOptions;

  constructor(options: HandlerRunsOptions) {
    this.#options = options;
  }

  /** Answers what the handler does, after the last of its calls is settled. */
  async handle(run: Run, emissions: Emissions): Promise<unknown> {
    const { meteredModels, bodies, ledger, eventWaits, clock, stop, maxHops } = this.#options;
    const { definition, handler } = run.stage;
    const { envelope, fencingToken, deliveries, expiredLeases, body } = run.message;
    refuseStalled(expiredLeases, definition.maxExpiredLeases);
    if (run.message.isExpired) throw waitExpired();
    await refuseBeyondHops(run.message, maxHops ?? defaultMaxHops, (id, maxStages) =>
      ledger.pathTo(id, maxStages),
    );
    awaitNewerProcess(definition.consumes, envelope.version, deliveries);
    const data = definition.consumes.read(envelope.version, await bodies.read(body));
    const timeout = new AbortController();
    const timer = clock.startTimer(definition.timeoutMs, () =>
      timeout.abort(
        new AppError(
          'MILLRACE_STAGE_TIMEOUT',
          `Stage "${definition.name}" took longer than ${definition.timeoutMs} ms`,
        ),
      ),
    );
    const signal = AbortSignal.any([run.lease.signal, timeout.signal]);
    const scope = meteredModels.openScope({
      message: { ...envelope, fencingToken, deliveries },
      origin: envelope.origin,
      signal,
      observer: run.observer,
    });
    try {
      const message = { ...envelope, data: data as never };
      const joined = await this.#joinedBy(run.message.joinId);
      const context = contextOf({ ...run, definition, signal, scope, emissions, joined, eventWaits });
      // Another run that was claimed with it may have kept the process from everything until its lease was over.
      if (stop.hasBegun || run.lease.isExpired()) throw leaseExpired(envelope.id);
      run.hasBegun = true;
      run.observer?.began();
      const handled = Promise.resolve(handler.handle(message, context));
      const result = await orAbort(handled, { signal, leaving: stop.leaving, clock });
      if (scope.wasCut) throw signal.reason as Error;
      return result;
    } catch (thrown) {
      const error = readableError(thrown);
      await invalidateOutput(scope, error);
      throw error;
    } finally {
      timer.close();
      await scope.close();
      run.span?.spent(scope.spend());
    }
  }

  /** What the message waited for. */
  async #joinedBy(joinId: Uuid | undefined): Promise<Joined | undefined> {
    if (joinId === undefined) return undefined;
    const { joins, bodies } = this.#options;
    const outcome = await joins.find(joinId);
    invariant(outcome !== undefined, `the join ${joinId} is kept as long as its message`);
    return new Joined(joinId, outcome, joins, bodies);
  }
}

function waitExpired(): AppError {
  return new AppError(
    'MILLRACE_WAIT_EXPIRED',
    'Nobody said what the message waited for, and its time limit is over',
  );
}
