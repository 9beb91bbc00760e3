import type { Admissions, CheckedMessage } from '../../../engine/pipeline/admissions.ts';
import { entryTypeOf, type EntryType, stagesOf } from '../../../engine/pipeline/pipeline-types.ts';
import type { StageRegistry } from '../../../engine/pipeline/stage-registry.ts';
import { type ApiKeyIdentity, assertOriginAllowed } from '../../../http/api-key-identity.ts';
import { actorOf } from '../../../http/operator.ts';
import { invalidRequest } from '../../../http/request-faults.ts';
import { AppError } from '../../../kernel/app-error.ts';
import type { Clock } from '../../../kernel/clock.ts';
import type { Uuid } from '../../../kernel/ids.ts';
import { type Origin, parseOrigin } from '../../../messages/origin.ts';
import { newRequestId } from '../../../messages/request-id.ts';
import type { AcceptedRequest } from '../request.ts';
import { requestErrors } from '../request-errors.ts';
import type { RequestMetrics } from '../request-metrics.ts';
import type { RequestsSettings } from '../requests-settings.ts';
import { fingerprintOf } from './idempotency-key.ts';
import { refusalReason } from './refusal-reason.ts';
import type { IdempotencyKey, RequestLedger } from './request-ledger.ts';
import type { StageQueues } from './stage-queues.ts';
import type { SubmitRequest } from './submit-requests.ts';

/*
 * Requests on their way in. Everything about one is checked before the first row is written:
 *
 *   checked ─► row, with its key ─► message with the id of the row ─► accepted
 *                └─ its key is taken: by the same wish ─► that request; by another ─► refused
 *
 * Whoever dies between row and message leaves a request that nobody has heard of. Who sends the same key again finds its row and writes its
 * message; without that the row goes after some minutes.
 */

/** What was asked for, and by whom. */
export interface AskedRequest {
  readonly pipeline: string;
  readonly body: SubmitRequest;
  /** Of the header, without quotes. */
  readonly idempotencyKey: string | undefined;
  /** W3C trace context to go on with. */
  readonly traceParent: string | undefined;
  readonly caller: ApiKeyIdentity;
}

/** A request that is durable. */
export interface Acceptance {
  readonly id: Uuid;
  /** Undefined for one that its key stood for already: read it. */
  readonly accepted: AcceptedRequest | undefined;
  /** The stage that it begins with. */
  readonly stage: string;
}

export interface RequestIntakeOptions {
  readonly ledger: RequestLedger;
  readonly admissions: Pick<Admissions, 'check' | 'admitChecked'>;
  readonly registry: StageRegistry;
  readonly queues: Pick<StageQueues, 'of'>;
  readonly settings: Pick<RequestsSettings, 'idempotencyHours' | 'maxQueued' | 'lanes'>;
  readonly clock: Clock;
  readonly metrics: RequestMetrics;
}

const hourMs = 3_600_000;
const backlogRetryMs = 10_000;
/** Of the messages with which requests begin; their ids say whose they are. */
const source = '/v1/requests';
/** A message that took so long to be written may find its row gone. */
const slowAdmissionMs = 60_000;

export class RequestIntake {
  readonly #options: RequestIntakeOptions;

  constructor(options: RequestIntakeOptions) {
    this.#options = options;
  }

  /**
   * Accepts a request; durable when it resolves. Throws MILLRACE_PIPELINE_NOT_FOUND, MILLRACE_REQUEST_TYPE_UNCLEAR, MILLRACE_FORBIDDEN,
   * MILLRACE_IDEMPOTENCY_KEY_REUSED, MILLRACE_REQUEST_BACKLOG, and what Admissions throws.
   */
  async submit(asked: AskedRequest): Promise<Acceptance> {
    const { metrics } = this.#options;
    try {
      const acceptance = await this.#submit(asked);
      metrics.increment('requests_accepted_total', {
        kind: acceptance.accepted === undefined ? 'repeated' : 'new',
      });
      return acceptance;
    } catch (error) {
      metrics.increment('requests_refused_total', { reason: refusalReason(error) });
      throw error;
    }
  }

  async #submit(asked: AskedRequest): Promise<Acceptance> {
    const { admissions } = this.#options;
    const { body, caller } = asked;
    const entry = this.#entryOf(asked);
    const origin = originOf(asked);
    await this.#confirmWebhook(body.webhook, origin.team);
    // By the plan of whoever asks, where the configuration says so; else by the stage, which may go by the size.
    const lane = caller.tier && this.#options.settings.lanes[caller.tier];
    const checked = await admissions.check(
      { typeName: entry.type, version: entry.version, data: body.data },
      {
        origin,
        source,
        ...(lane === undefined ? {} : { lane }),
        ...(asked.traceParent === undefined ? {} : { traceParent: asked.traceParent }),
      },
    );
    const idempotency = this.#idempotencyOf(asked, entry, origin);
    const known = idempotency && (await this.#refusedButKnown(checked, entry, origin, idempotency));
    if (known !== undefined) return known;
    if (idempotency === undefined) await this.#assertNotRefused(checked, entry);
    return await this.#write({ asked, entry, origin, checked, idempotency });
  }

  /** Names of other teams' webhooks are not told. Throws MILLRACE_REQUEST_INVALID. */
  async #confirmWebhook(name: string | undefined, team: string): Promise<void> {
    if (name === undefined || (await this.#options.ledger.hasWebhook(name, team))) return;
    throw invalidRequest([
      {
        field: 'webhook',
        problem: 'is no webhook of this team, and none of the configuration that is open to it',
      },
    ]);
  }

  /** What is refused by now may have been accepted before. */
  async #refusedButKnown(
    checked: CheckedMessage,
    entry: EntryType,
    origin: Origin,
    idempotency: IdempotencyKey,
  ): Promise<Acceptance | undefined> {
    try {
      await this.#assertNotRefused(checked, entry);
      return undefined;
    } catch (error) {
      const known = await this.#options.ledger.findByKey(origin.team, idempotency.key);
      if (known?.isAdmitted !== true) throw error;
      assertSame(known, idempotency);
      return { id: known.id, accepted: undefined, stage: entry.stage };
    }
  }

  async #assertNotRefused({ refusal }: CheckedMessage, { stage }: EntryType): Promise<void> {
    const { queues, settings } = this.#options;
    if (refusal !== undefined) {
      refusal.count();
      throw refusal.error;
    }
    const { waiting, endsPerSecond } = await queues.of(stage);
    if (waiting < settings.maxQueued) return;
    const excessMs = endsPerSecond > 0 ? ((waiting - settings.maxQueued + 1) / endsPerSecond) * 1000 : 0;
    throw new AppError(
      requestErrors.MILLRACE_REQUEST_BACKLOG,
      `${waiting} messages wait at the stage "${stage}"; at most ${settings.maxQueued} may.`,
      { retryAfterMs: Math.min(hourMs, Math.max(backlogRetryMs, excessMs)) },
    );
  }

  async #write({
    asked: { pipeline, body, caller },
    entry: { type, version, stage },
    origin,
    checked,
    idempotency,
  }: {
    readonly asked: AskedRequest;
    readonly entry: EntryType;
    readonly origin: Origin;
    readonly checked: CheckedMessage;
    readonly idempotency: IdempotencyKey | undefined;
  }): Promise<Acceptance> {
    const { ledger, admissions, clock } = this.#options;
    const options = {
      onDisconnect: body.onDisconnect,
      disconnectGraceMs: body.disconnectGraceSeconds * 1000,
      webhook: body.webhook,
    };
    const id = newRequestId(clock.now());
    const request = { id, origin, pipeline, type, version, actor: actorOf(caller), options };
    const createdAt = await ledger.write({ ...request, idempotency });
    if (createdAt !== undefined) {
      const writtenMs = clock.monotonicMs();
      await admissions.admitChecked(checked, id);
      // The row of one that stood still so long may be gone: it is there again, or its key stands for another.
      if (clock.monotonicMs() - writtenMs > slowAdmissionMs) await ledger.write({ ...request, idempotency });
      return { id, accepted: { ...request, createdAt }, stage };
    }
    const known = idempotency && (await ledger.findByKey(origin.team, idempotency.key));
    // Its time was over, or it went, between the two looks: whoever comes again takes it.
    if (known === undefined || idempotency === undefined)
      throw new AppError('MILLRACE_DATABASE_CONFLICT', 'The key of the request was free a moment later.');
    assertSame(known, idempotency);
    if (!known.isAdmitted) await admissions.admitChecked(checked, known.id);
    return { id: known.id, accepted: undefined, stage };
  }

  #entryOf({ pipeline, body: { type, version } }: AskedRequest): EntryType {
    const { registry } = this.#options;
    const entry = entryTypeOf(registry, { pipeline, type, version });
    if (!('unclear' in entry)) return entry;
    const isKnown = stagesOf(registry, pipeline).length > 0;
    throw new AppError(
      isKnown ? requestErrors.MILLRACE_REQUEST_TYPE_UNCLEAR : requestErrors.MILLRACE_PIPELINE_NOT_FOUND,
      entry.unclear,
    );
  }

  #idempotencyOf(
    { pipeline, body, idempotencyKey: key }: AskedRequest,
    { type, version }: EntryType,
    origin: Origin,
  ): IdempotencyKey | undefined {
    if (key === undefined) return undefined;
    const fingerprint = fingerprintOf({ ...body, pipeline, type, version, origin });
    return { key, fingerprint, forMs: this.#options.settings.idempotencyHours * hourMs };
  }
}

/** What the body says, and the key where that says nothing. Throws MILLRACE_ORIGIN_INVALID, and MILLRACE_FORBIDDEN for what the key is not for. */
function originOf({ body: { origin = {} }, caller }: AskedRequest): Origin {
  const { team, customer, feature } = caller;
  const whole = parseOrigin({ team, customer, feature, ...origin });
  assertOriginAllowed(caller, whole);
  return whole;
}

function assertSame(known: { readonly fingerprint: string }, { fingerprint }: IdempotencyKey): void {
  if (known.fingerprint === fingerprint) return;
  throw new AppError(
    requestErrors.MILLRACE_IDEMPOTENCY_KEY_REUSED,
    'The Idempotency-Key was sent with another request before.',
  );
}
