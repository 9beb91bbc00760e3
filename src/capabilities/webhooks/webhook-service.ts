import type { Operator, Viewer } from '../../http/operator.ts';
import { invalidRequest } from '../../http/request-faults.ts';
import { AppError } from '../../kernel/app-error.ts';
import type { Clock } from '../../kernel/clock.ts';
import { isUuid, newId, type Uuid } from '../../kernel/ids.ts';
import type { AddressPolicy } from './address-policy.ts';
import type { AuditMark, EndpointRow, EndpointStore } from './endpoint-store.ts';
import {
  attemptDocument,
  type DeletedWebhook,
  type DeliveryDocument,
  deliveryDocument,
  type DeliveryList,
  type NewWebhook,
  type QueuedDelivery,
  type Redelivered,
  type WebhookDocument,
  webhookDocument,
  type WebhookList,
} from './webhook-documents.ts';
import { webhookErrors } from './webhook-errors.ts';
import { testEventType } from './webhook-event.ts';
import type { CreateWebhook, ListDeliveries } from './webhook-requests.ts';
import { newSecret, verificationKeyOf } from './webhook-secret.ts';

/** Endpoints that a team may have, and those of no team. */
export const maxOfTeam = 50;
/** Of those that a list shows. */
const maxListed = 1000;
const maxAttemptsShown = 50;
const firstId = '00000000-0000-0000-0000-000000000000';

export interface WebhookServiceOptions {
  readonly store: EndpointStore;
  readonly policy: AddressPolicy;
  readonly clock: Clock;
}

/**
 * Endpoints and their deliveries, for callers and operators. One with a team sees and changes that team's; of others it finds nothing, and throws
 * MILLRACE_WEBHOOK_NOT_FOUND.
 */
export class WebhookService {
  readonly #options: WebhookServiceOptions;

  constructor(options: WebhookServiceOptions) {
    this.#options = options;
  }

  async list({ team }: Viewer): Promise<WebhookList> {
    const { store, clock } = this.#options;
    const rows = await store.list(team, firstId, maxListed);
    return { webhooks: rows.map((row) => webhookDocument(row, clock.now())) };
  }

  async get(id: string, { team }: Viewer): Promise<WebhookDocument> {
    return this.#shown(await this.#options.store.find(known(id), team));
  }

  /**
   * Makes an endpoint. The answer is the only place where its secret can be read. Throws MILLRACE_REQUEST_INVALID for an address that it may not
   * have, MILLRACE_FORBIDDEN for another team than the caller's, MILLRACE_WEBHOOK_EXISTS and MILLRACE_WEBHOOK_LIMIT.
   */
  async create({ reason, ...wanted }: CreateWebhook, operator: Operator): Promise<NewWebhook> {
    const { store, policy, clock } = this.#options;
    const { name, url, events, signing } = wanted;
    const problem = policy.problemOf(url);
    if (problem !== undefined) throw invalidRequest([{ field: 'url', problem }]);
    const team = teamOf(wanted.team, operator);
    const secret = newSecret(signing);
    const unique = [...new Set(events)];
    const made = { id: newId(clock.now()), name, team, url, events: unique, signing, secret };
    const row = await store.insert(made, maxOfTeam, this.#mark(operator, reason));
    if (row !== undefined) return { ...this.#shown(row), secret: verificationKeyOf(secret) };
    if (await store.hasName(name, team))
      throw new AppError(
        webhookErrors.MILLRACE_WEBHOOK_EXISTS,
        `There is a webhook ${JSON.stringify(name)}.`,
      );
    throw new AppError(
      webhookErrors.MILLRACE_WEBHOOK_LIMIT,
      `There are ${maxOfTeam} webhooks, as many as a team may have.`,
    );
  }

  /** Gives it another secret; the old one signs as well for a time. */
  async rotate(
    id: string,
    { overlapSeconds, reason }: { readonly overlapSeconds: number; readonly reason: string },
    operator: Operator,
  ): Promise<NewWebhook> {
    const { store } = this.#options;
    const { signing } = await this.#subscription(id, operator);
    const secret = newSecret(signing);
    const rotation = { secret, overlapSeconds };
    const row = await store.rotate(id, operator.team, rotation, this.#mark(operator, reason));
    return { ...this.#shown(row), secret: verificationKeyOf(secret) };
  }

  /** What waits for it waits on while it is disabled, and is due when it is enabled. */
  async setState(
    id: string,
    state: EndpointRow['state'],
    operator: Operator,
    reason: string,
  ): Promise<WebhookDocument> {
    const mark = this.#mark(operator, reason);
    return this.#shown(await this.#options.store.setState(known(id), operator.team, state, mark));
  }

  /** With everything that waits for it, and its log. */
  async delete(id: string, operator: Operator, reason: string): Promise<DeletedWebhook> {
    await this.#subscription(id, operator);
    const row = await this.#options.store.delete(id, operator.team, this.#mark(operator, reason));
    return { ...this.#shown(row), deleted: true };
  }

  /** Sends an event of the type `webhook.test`. Throws MILLRACE_REQUEST_INVALID for an endpoint that is disabled. */
  async test(id: string, operator: Operator): Promise<QueuedDelivery> {
    const { store, clock } = this.#options;
    const now = clock.now();
    const endpoint = await this.#find(id, operator);
    const data = { webhook: endpoint.id, name: endpoint.name };
    const event = {
      id: newId(now),
      delivery: newId(now),
      type: testEventType,
      body: JSON.stringify({ type: testEventType, timestamp: now.toISOString(), data }),
    };
    const delivery = await store.writeTest(id, operator.team, event, this.#mark(operator, ''));
    if (delivery === undefined)
      throw invalidRequest([{ field: 'id', problem: 'is a webhook that is disabled: enable it first' }]);
    return { delivery };
  }

  async listDeliveries(
    id: string,
    { limit, ...filter }: ListDeliveries,
    viewer: Viewer,
  ): Promise<DeliveryList> {
    const { store } = this.#options;
    await this.#find(id, viewer);
    const rows = await store.listDeliveries(id, viewer.team, { ...filter, limit: limit + 1 });
    const shown = rows.slice(0, limit);
    const last = rows.length > limit ? shown.at(-1) : undefined;
    return {
      deliveries: shown.map((row) => deliveryDocument(row)),
      ...(last === undefined ? {} : { next: `${last.at_us}~${last.id}` }),
    };
  }

  async getDelivery(id: string, { team }: Viewer): Promise<DeliveryDocument> {
    const { store } = this.#options;
    const row = await store.findDelivery(known(id), team);
    if (row === undefined) throw notFound();
    const attempts = await store.listAttempts(id, maxAttemptsShown);
    return { ...deliveryDocument(row), body: row.body, log: attempts.map((one) => attemptDocument(one)) };
  }

  /** Sends it again, under the same id, from the foot of the ladder; also one that was taken. */
  async redeliver(id: string, operator: Operator, reason: string): Promise<QueuedDelivery> {
    const mark = this.#mark(operator, reason);
    if (!(await this.#options.store.redeliver(known(id), operator.team, mark))) throw notFound();
    return { delivery: id };
  }

  /** Sends again what was given up on. */
  async redeliverFailed(
    id: string,
    { from, to, max }: { readonly from: Date; readonly to?: Date | undefined; readonly max: number },
    operator: Operator,
    reason: string,
  ): Promise<Redelivered> {
    const { store, clock } = this.#options;
    await this.#find(id, operator);
    const times = { from, to: to ?? clock.now(), max };
    return {
      queued: await store.redeliverFailed(id, operator.team, times, this.#mark(operator, reason)),
    };
  }

  async #find(id: string, { team }: Viewer): Promise<EndpointRow> {
    const row = await this.#options.store.find(known(id), team);
    if (row === undefined) throw notFound();
    return row;
  }

  /** Throws MILLRACE_WEBHOOK_CONFIGURED. */
  async #subscription(id: string, viewer: Viewer): Promise<EndpointRow> {
    const row = await this.#find(id, viewer);
    if (row.kind === 'subscription') return row;
    throw new AppError(
      webhookErrors.MILLRACE_WEBHOOK_CONFIGURED,
      `The webhook ${JSON.stringify(row.name)} is one of the configuration.`,
    );
  }

  #shown(row: EndpointRow | undefined): WebhookDocument {
    if (row === undefined) throw notFound();
    return webhookDocument(row, this.#options.clock.now());
  }

  #mark({ actor }: Operator, reason: string): AuditMark {
    return { id: newId(this.#options.clock.now()), actor, reason };
  }
}

function teamOf(wanted: string | undefined, { team }: Operator): string | undefined {
  if (team === undefined || wanted === undefined || wanted === team) return team ?? wanted;
  throw new AppError(
    'MILLRACE_FORBIDDEN',
    `This API key belongs to the team "${team}" and cannot be used for another.`,
  );
}

function known(id: string): Uuid {
  if (!isUuid(id)) throw notFound();
  return id;
}

function notFound(): AppError {
  return new AppError(
    webhookErrors.MILLRACE_WEBHOOK_NOT_FOUND,
    'There is no such webhook or delivery, or it is not for this API key.',
  );
}
