import type { Clock } from '../../kernel/clock.ts';
import { ownTurn } from '../../kernel/event-loop-turn.ts';
import type { Uuid } from '../../kernel/ids.ts';
import { type BoundLevel, Peak } from '../../telemetry/bounds.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { ClaimedDelivery, DeliveryStore, EndedAttempt } from './delivery-store.ts';
import { DeliveryTurns, slots } from './delivery-turns.ts';
import { disabledCauses, type WebhookMetrics } from './webhook-metrics.ts';
import type { WebhookSender } from './webhook-sender.ts';

/*
 * Sends events to endpoints, in the process that has the maintenance role. An attempt is counted before its request leaves and recorded after its
 * answer, so a process that dies in between makes the next one, under the same id: at least once, and a receiver that remembers ids sees it once.
 *
 * A turn begins what there is room for, waits until a request ends or for a second, and records what has ended; requests go on from turn to turn, so
 * that none waits for another. What the stop of the host cuts off is sent again: whether it was taken is not known.
 */

/** Endpoints that a turn looks at. */
const endpointsAtOnce = 200;
const longestWaitMs = 1000;
const prunedAtOnce = 1000;

export interface WebhookDeliveriesOptions {
  readonly store: DeliveryStore;
  readonly sender: WebhookSender;
  readonly metrics: WebhookMetrics;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly keepDays: number;
}

export class WebhookDeliveries {
  readonly #options: WebhookDeliveriesOptions;
  readonly #turns = new DeliveryTurns();
  readonly #requests = new Set<Promise<void>>();
  /** What is to be recorded. */
  readonly #ended: { readonly delivery: ClaimedDelivery; readonly attempt: EndedAttempt }[] = [];
  readonly #peak = new Peak();
  #after: Uuid | undefined;
  #wake: (() => void) | undefined;

  constructor(options: WebhookDeliveriesOptions) {
    this.#options = options;
  }

  /** Requests under way. */
  get bound(): BoundLevel {
    return { limit: slots, takePeak: () => this.#peak.take(this.#requests.size) };
  }

  /** One turn; true when there is more to do at once. */
  async turn(signal: AbortSignal): Promise<boolean> {
    const began = await this.#begin(signal);
    await this.#waitForAnEnd(signal);
    if (signal.aborted) await Promise.all(this.#requests);
    // Where a request has ended there is room for another.
    const recorded = await this.#record();
    return !signal.aborted && (began || recorded || this.#requests.size > 0);
  }

  /** Removes what is old; true when there is more. */
  async prune(): Promise<boolean> {
    const { store, keepDays } = this.#options;
    return (await store.prune(keepDays, prunedAtOnce)) === prunedAtOnce;
  }

  /** Shows what waits, when somebody scrapes. */
  async showGauges(): Promise<void> {
    const { store, metrics } = this.#options;
    const { waiting, oldest_seconds: oldest, disabled } = await store.count();
    metrics.set('webhook_deliveries_waiting', {}, waiting);
    metrics.set('webhook_oldest_waiting_seconds', {}, oldest);
    for (const cause of disabledCauses)
      metrics.set('webhook_endpoints_disabled', { cause }, disabled[cause] ?? 0);
  }

  /** Begins requests; answers whether there may be more to begin. */
  async #begin(signal: AbortSignal): Promise<boolean> {
    const { store, metrics, logger } = this.#options;
    for (const delivery of await store.giveUpLost()) {
      metrics.increment('webhook_attempts_total', { result: 'given_up' });
      logger.error({ delivery }, 'a delivery to a webhook is given up on: its last attempt was cut off');
    }
    if (signal.aborted || this.#turns.free === 0) return false;
    const listed = await store.listEndpoints(this.#after, endpointsAtOnce);
    const isLastPage = listed.length < endpointsAtOnce;
    this.#after = isLastPage ? undefined : listed.at(-1)?.id;
    const rooms = this.#turns.share(listed.filter(({ is_due: isDue }) => isDue));
    if (rooms.size === 0) return !isLastPage;
    const claimed = await store.claim(rooms);
    for (const delivery of claimed) this.#send(delivery, signal);
    return claimed.length > 0 || !isLastPage;
  }

  #send(delivery: ClaimedDelivery, signal: AbortSignal): void {
    const endpoint = { id: delivery.endpoint, team: delivery.team };
    this.#turns.begin(endpoint);
    const send = async (): Promise<void> => {
      const attempt = await this.#options.sender.send(delivery, signal);
      // What was taken is known to be, also when the host stops.
      if (!signal.aborted || attempt.result === 'delivered') this.#ended.push({ delivery, attempt });
    };
    const request = send().finally(() => {
      this.#turns.end(endpoint);
      this.#requests.delete(request);
      this.#wake?.();
    });
    this.#requests.add(request);
    this.#peak.note(this.#requests.size);
  }

  /** Until a request ends, a second passes, or the host stops. */
  async #waitForAnEnd(signal: AbortSignal): Promise<void> {
    if (signal.aborted || this.#requests.size === 0 || this.#ended.length > 0) return;
    const awake = new AbortController();
    const woken = new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    const either = AbortSignal.any([signal, awake.signal]);
    const slept = this.#options.clock.sleep(longestWaitMs, either).catch((error: unknown) => {
      if (!either.aborted) throw error;
    });
    await Promise.race([woken, slept]);
    this.#wake = undefined;
    awake.abort(new Error('a request has ended'));
    await slept;
    // What ends together is recorded together.
    await ownTurn();
  }

  /** Records what has ended; answers whether anything had. What cannot be recorded is recorded with the next turn. */
  async #record(): Promise<boolean> {
    const { store, metrics, logger } = this.#options;
    const some = [...this.#ended];
    if (some.length === 0) return false;
    const { givenUp, disabled } = await store.record(some.map(({ attempt }) => attempt));
    this.#ended.splice(0, some.length);
    const ended = new Set(givenUp);
    for (const { delivery, attempt } of some) {
      const { id, event, name, team } = delivery;
      const { result, problem, attempt: number } = attempt;
      metrics.increment('webhook_attempts_total', {
        result: result === 'delivered' ? 'delivered' : ended.has(id) ? 'given_up' : 'failed',
      });
      if (result === 'delivered') continue;
      const about = { delivery: id, event, webhook: name, team, attempt: number, problem };
      if (ended.has(id)) logger.error(about, 'a delivery to a webhook is given up on');
      else logger.warn(about, 'a webhook did not take what it was sent');
    }
    for (const { id, name, team, cause } of disabled) {
      metrics.increment('webhook_endpoints_disabled_total', { cause });
      logger.error(
        { endpoint: id, webhook: name, team, cause },
        'a webhook is disabled because of its answers',
      );
    }
    return true;
  }
}
