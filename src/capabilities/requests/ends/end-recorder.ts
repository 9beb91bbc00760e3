import type { PayloadStore } from '../../../drivers/payload-store/payload-store.ts';
import { hasEnded } from '../../../engine/ledger/message-state.ts';
import type { StoredBody } from '../../../engine/ledger/stored-message.ts';
import type { TreeMessage } from '../../../engine/ledger/tree-messages.ts';
import type { MessageBodies } from '../../../engine/pipeline/message-bodies.ts';
import { withDeclaredOutput } from '../../../engine/pipeline/pipeline-output.ts';
import type { StageRegistry } from '../../../engine/pipeline/stage-registry.ts';
import { AppError } from '../../../kernel/app-error.ts';
import type { Uuid } from '../../../kernel/ids.ts';
import type { EndedRequest, RequestError } from '../request.ts';
import type { RequestMetrics } from '../request-metrics.ts';
import type { RequestEnds } from '../state/request-ends.ts';
import { howItEnds, resultOf, type SaidPart } from './compose-end.ts';
import type { EndingRequest, RequestEndLedger, RequestEnding } from './end-ledger.ts';

/** What is read at the same time, at most. */
const maxGroupBytes = 16 * 1024 * 1024;
const maxGroup = 100;

export interface EndRecorderOptions {
  readonly ledger: RequestEndLedger;
  readonly registry: Pick<StageRegistry, 'stages'>;
  readonly bodies: Pick<MessageBodies, 'read'>;
  readonly payloads: Pick<PayloadStore, 'put'>;
  readonly limits: { readonly inlineResultBytes: number; readonly resultBytes: number };
  readonly ends: RequestEnds;
  readonly metrics: RequestMetrics;
}

/** Composes the ends of requests from their messages, a bounded part of them at a time, records each once, and tells of it. */
export class EndRecorder {
  readonly #options: EndRecorderOptions;

  constructor(options: EndRecorderOptions) {
    this.#options = options;
  }

  /** Throws what the stores throw: the ends are recorded later. */
  async record(requests: readonly EndingRequest[]): Promise<void> {
    for (const group of groupsOf(requests)) await this.#recordGroup(group);
  }

  async #recordGroup(requests: readonly EndingRequest[]): Promise<void> {
    const { ledger, registry, ends, metrics } = this.#options;
    const read = await ledger.readTrees(requests.map(({ id }) => id));
    const trees = Map.groupBy(withDeclaredOutput(registry, read), ({ rootId }) => rootId);
    const endings: RequestEnding[] = [];
    for (const request of requests) {
      const messages = trees.get(request.id) ?? [];
      // Its dead letter was replayed since it was found.
      if (messages.length === 0 || messages.some(({ state }) => !hasEnded(state))) continue;
      endings.push(await this.#endOf(request, messages));
    }
    const recorded = await ledger.record(endings);
    const byId = new Map<Uuid, RequestEnding>(endings.map((ending) => [ending.request.id, ending]));
    const told = recorded.flatMap(({ id, endedAt, seconds }): readonly EndedRequest[] => {
      const ending = byId.get(id);
      if (ending === undefined) return [];
      const { request, state, error } = ending;
      metrics.increment('requests_ended_total', { end: state });
      metrics.observe('request_duration_seconds', { end: state }, seconds);
      return [{ id, team: request.team, state, error, cost: request.cost, endedAt }];
    });
    ends.tell(told);
  }

  async #endOf(request: EndingRequest, messages: readonly TreeMessage[]): Promise<RequestEnding> {
    const { isCancelling, bytes } = request;
    const { resultBytes: maxBytes } = this.#options.limits;
    const how = howItEnds({ messages, isCancelling, bytes, maxBytes });
    const failed = (error: RequestError): RequestEnding => ({
      request,
      state: 'failed',
      error,
      result: undefined,
      outputs: undefined,
    });
    if (how.state !== 'completed') return { ...failed(how.error), state: how.state };
    try {
      const result = await this.#resultOf(how.said);
      return { request, state: 'completed', error: undefined, result, outputs: how.said.length };
    } catch (error) {
      // What the payload store has lost is lost; while it is away, the end is recorded later.
      if (!(error instanceof AppError) || error.code !== 'MILLRACE_PAYLOAD_MISSING') throw error;
      return failed({ code: error.code, message: error.message, stage: undefined });
    }
  }

  async #resultOf(said: readonly TreeMessage[]): Promise<StoredBody | undefined> {
    const [only, ...others] = said;
    // Nothing is read that is only handed on.
    if (only?.body?.kind === 'payload' && others.length === 0) return only.body;
    const parts: SaidPart[] = [];
    for (const { hops, stage, type, body, result } of said) {
      const name = body === undefined ? stage : type;
      parts.push({ hops, name, json: body === undefined ? (result ?? 'null') : await this.#jsonOf(body) });
    }
    const json = resultOf(parts);
    if (json === undefined) return undefined;
    if (Buffer.byteLength(json) <= this.#options.limits.inlineResultBytes) return { kind: 'inline', json };
    return { kind: 'payload', reference: await this.#options.payloads.put(Buffer.from(json)) };
  }

  async #jsonOf(body: StoredBody): Promise<string> {
    return body.kind === 'inline' ? body.json : JSON.stringify(await this.#options.bodies.read(body));
  }
}

function* groupsOf(requests: readonly EndingRequest[]): Generator<readonly EndingRequest[]> {
  let group: EndingRequest[] = [];
  let bytes = 0;
  for (const request of requests) {
    if (group.length > 0 && (group.length === maxGroup || bytes + request.bytes > maxGroupBytes)) {
      yield group;
      group = [];
      bytes = 0;
    }
    group.push(request);
    bytes += request.bytes;
  }
  if (group.length > 0) yield group;
}
