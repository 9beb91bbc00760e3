import type { EmbeddingModelV4, EmbeddingModelV4CallOptions } from '@ai-sdk/provider';
import type { Uuid } from '../../kernel/ids.ts';
import { estimateInputTokens } from '../providers/input-estimate.ts';
import type { ModelTarget } from '../providers/provider-registry.ts';
import type { RequestBounds } from '../providers/request-bounds.ts';
import type { GatePass, GateQuestion } from './call-gate.ts';
import type { MeteredCall } from './metered-call.ts';
import type { CallLabels } from './model-metrics.ts';
import {
  askTogether,
  type EmbeddingPart,
  type PartAnswer,
  type SharedEmbeddingsServices,
} from './shared-embeddings.ts';
import { SharedPass } from './shared-pass.ts';

/*
 * One request to the provider that several calls share. Each is opened as any call: by its own lease, its own quotas, in its own
 * row. The request leaves when the last of them is reserved or out of it, for those that are.
 *
 *   opening ─► ready ─► sent ─► answered
 *      └─────────┴───────┴────► left: refused, stopped; the request goes on for the others
 *
 * Nobody waits any more: the request is aborted. A call that left while the request was under way is settled by its call as of
 * unknown outcome, and by the answer when that comes after all, before the others get theirs.
 */

/** A call that looks for others to share a request with. */
export interface JoiningCall {
  readonly target: ModelTarget<EmbeddingModelV4>;
  readonly params: EmbeddingModelV4CallOptions;
  readonly step: string;
  readonly bounds: RequestBounds;
  readonly labels: CallLabels;
  /** From 1. */
  readonly attempt: number;
  /** Aborts when the call is not wanted any more. */
  readonly signal: AbortSignal;
}

/** What is asked of the gates, by the request as a whole. */
export type WholeQuestion = Pick<
  GateQuestion,
  'maxInputTokens' | 'maxOutputTokens' | 'estimateTokens' | 'signal'
>;

/** A call's place in a request that is shared, while it is opened. */
export interface RequestShare {
  readonly sharedRequest: Uuid;
  /** The gates are passed once, for the request as a whole. */
  pass(enter: (question: WholeQuestion) => Promise<GatePass | undefined>): Promise<GatePass | undefined>;
  /** Nothing is sent for it. */
  leave(): void;
}

/** How far the request was when a call left it. */
export type LeftRequest =
  | { readonly kind: 'not_sent' }
  | { readonly kind: 'under_way' }
  | { readonly kind: 'answered'; readonly answer: PartAnswer };

/** The place of a call for embeddings. */
export interface EmbeddingShare extends RequestShare {
  /** The call is reserved. Resolves with its part of the answer. */
  ask(call: MeteredCall): Promise<PartAnswer>;
  /** The call was stopped while it waited for the answer. */
  abandon(): LeftRequest;
}

interface Member {
  readonly joining: JoiningCall;
  state: 'opening' | 'ready' | 'left';
  call: MeteredCall | undefined;
  hasPass: boolean;
  answer: PartAnswer | undefined;
  readonly answered: PromiseWithResolvers<PartAnswer>;
}

type ReadyMember = Member & { readonly call: MeteredCall };

export class SharedRequest {
  readonly #services: SharedEmbeddingsServices;
  readonly #id: Uuid;
  readonly #members: readonly Member[];
  readonly #pass: SharedPass;
  /** Those who want the answer. */
  readonly #waiting: Set<Member>;
  readonly #aborting = new AbortController();
  /** Ends what was listened to. */
  readonly #over = new AbortController();
  #sent: readonly Member[] = [];

  constructor(services: SharedEmbeddingsServices, id: Uuid, calls: readonly JoiningCall[]) {
    this.#services = services;
    this.#id = id;
    this.#members = calls.map((joining) => ({
      joining,
      state: 'opening',
      call: undefined,
      hasPass: false,
      answer: undefined,
      answered: Promise.withResolvers<PartAnswer>(),
    }));
    this.#pass = new SharedPass(calls.length);
    this.#waiting = new Set(this.#members);
    for (const member of this.#members) {
      const { signal } = member.joining;
      const options = { once: true, signal: this.#over.signal };
      signal.addEventListener('abort', () => this.#lose(member, signal.reason), options);
      // Whoever left does not look at it.
      member.answered.promise.catch(() => undefined);
    }
  }

  /** The places, in the order of the calls. */
  get shares(): readonly EmbeddingShare[] {
    return this.#members.map((member) => ({
      sharedRequest: this.#id,
      pass: async (enter) => {
        const pass = await this.#pass.enter(() => enter(this.#question()));
        member.hasPass = pass !== undefined;
        return pass;
      },
      leave: () => this.#leave(member),
      ask: (call) => this.#ask(member, call),
      abandon: () => this.#abandon(member),
    }));
  }

  #question(): WholeQuestion {
    const calls = this.#members.map(({ joining }) => joining);
    const [first] = calls;
    const text = (): string => calls.flatMap(({ params }) => params.values).join('\n');
    return {
      maxInputTokens: calls.reduce((sum, { bounds }) => sum + bounds.maxInputTokens, 0),
      maxOutputTokens: 0,
      estimateTokens: () => estimateInputTokens(first?.target.modelId ?? '', text()),
      signal: this.#aborting.signal,
    };
  }

  #leave(member: Member): void {
    if (member.state !== 'opening') return;
    member.state = 'left';
    if (!member.hasPass) this.#pass.skip();
    this.#lose(member, undefined);
    this.#sendIfComplete();
  }

  #ask(member: Member, call: MeteredCall): Promise<PartAnswer> {
    member.state = 'ready';
    member.call = call;
    this.#sendIfComplete();
    return member.answered.promise;
  }

  #abandon(member: Member): LeftRequest {
    member.state = 'left';
    this.#lose(member, member.call?.signal.reason);
    if (member.answer !== undefined) return { kind: 'answered', answer: member.answer };
    return { kind: this.#sent.includes(member) ? 'under_way' : 'not_sent' };
  }

  #lose(member: Member, reason: unknown): void {
    this.#waiting.delete(member);
    if (this.#waiting.size === 0) this.#aborting.abort(reason);
  }

  #sendIfComplete(): void {
    if (this.#members.some(({ state }) => state === 'opening')) return;
    // What was stopped between its reservation and now has not left, and does not.
    for (const member of this.#members) if (member.call?.signal.aborted === true) member.state = 'left';
    const ready = this.#members.filter(isReady);
    this.#sent = ready;
    void this.#send(ready);
  }

  async #send(members: readonly ReadyMember[]): Promise<void> {
    const [first] = members;
    try {
      if (first === undefined) return;
      const { target, labels, attempt } = first.joining;
      const request = { id: this.#id, target, labels, attempt, signal: this.#aborting.signal };
      const answers = await askTogether(this.#services, request, members.map(partOf));
      members.forEach((member, place) => (member.answer = answers[place]));
      if (!this.#aborting.signal.aborted)
        await this.#settleLeft(members.filter(({ state }) => state === 'left'));
      for (const { answer, answered } of members) if (answer !== undefined) answered.resolve(answer);
    } catch (error) {
      for (const { answered } of members) answered.reject(error);
    } finally {
      this.#over.abort();
    }
  }

  /** Those who left while the request was under way have been settled as of unknown outcome. It is known now. */
  async #settleLeft(members: readonly ReadyMember[]): Promise<void> {
    await Promise.all(
      members.map(async ({ call, answer }) => {
        if (answer !== undefined) await call.settleLate(answer.report, answer.appraisal);
      }),
    );
  }
}

function isReady(member: Member): member is ReadyMember {
  return member.state === 'ready' && member.call !== undefined;
}

function partOf({ joining: { params, step }, call }: ReadyMember): EmbeddingPart {
  return { params, step, facts: call.facts };
}
