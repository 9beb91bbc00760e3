import type { AnswerObserver } from '../../../engine/calls/call-observer.ts';
import type { AttributedCall } from '../../../engine/ledger/attributed-call.ts';
import type { SettledCall } from '../../../engine/ledger/settlement.ts';
import type { LeasedMessage } from '../../../engine/ledger/stored-message.ts';
import type { RunEnd, RunFollower, RunObserver } from '../../../engine/pipeline/run-observer.ts';
import type { Clock } from '../../../kernel/clock.ts';
import { formatUsd } from '../../../kernel/money.ts';
import { mayBeRequestId } from '../../../messages/request-id.ts';
import { countTokens } from '../../../pricing/token-classes.ts';
import type { EventOutlet } from './event-outlet.ts';
import type { EventOutlets } from './event-outlets.ts';
import { PublishedAnswer } from './published-answer.ts';
import type { RequestEvent, stageOutcomes } from './request-event.ts';

const progressEveryMs = 100;

export interface RunPublisherOptions {
  readonly outlets: EventOutlets;
  readonly clock: Clock;
}

/** Follows the runs of requests, and tells what happens in them. A run of anything else is not followed. */
export class RunPublisher implements RunFollower {
  readonly #options: RunPublisherOptions;

  constructor(options: RunPublisherOptions) {
    this.#options = options;
  }

  follow(message: LeasedMessage): RunObserver | undefined {
    if (!mayBeRequestId(message.envelope.rootId)) return undefined;
    return new PublishedRun(message, this.#options);
  }
}

class PublishedRun implements RunObserver {
  readonly #message: LeasedMessage;
  readonly #clock: Clock;
  readonly #outlet: EventOutlet;
  readonly #release: () => void;
  readonly #about: { readonly stage: string; readonly message: string; readonly run: number };
  readonly #answers = new Set<PublishedAnswer>();
  #answerCount = 0;
  #textCount = 0;
  #toldProgressMs = -Infinity;
  #hasEnded = false;

  constructor(message: LeasedMessage, { outlets, clock }: RunPublisherOptions) {
    const { id, stage, rootId } = message.envelope;
    this.#message = message;
    this.#clock = clock;
    this.#about = { stage, message: id, run: message.deliveries };
    const { outlet, release } = outlets.hold(rootId);
    this.#outlet = outlet;
    this.#release = release;
  }

  began(): void {
    const { attempts, invalidOutputAttempts, deliveries } = this.#message;
    const attempt = attempts + invalidOutputAttempts + 1;
    // It was handed out before: a run that failed, or whose process died, may have told some text.
    this.#tell({ kind: deliveries > 1 ? 'attempt-restarted' : 'stage-started', ...this.#about, attempt });
  }

  progress(share: number): void {
    const nowMs = this.#clock.monotonicMs();
    if (share < 1 && nowMs - this.#toldProgressMs < progressEveryMs) return;
    this.#toldProgressMs = nowMs;
    this.#tell({ kind: 'progress', ...this.#about, share });
  }

  beginAnswer(step: string): AnswerObserver {
    this.#answerCount += 1;
    const answer = new PublishedAnswer({
      clock: this.#clock,
      about: { ...this.#about, step, answer: this.#answerCount },
      tell: (event) => {
        this.#tell(event);
        return (this.#textCount += 1);
      },
      onEnd: () => void this.#answers.delete(answer),
    });
    this.#answers.add(answer);
    return answer;
  }

  settled({ step, provider, model }: AttributedCall, { costUsd, tokens }: SettledCall): void {
    const { stage, message } = this.#about;
    this.#tell({
      kind: 'usage',
      stage,
      message,
      step,
      model: `${provider}/${model}`,
      tokens: countTokens(tokens),
      ...(costUsd === undefined ? {} : { usd: formatUsd(costUsd) }),
    });
  }

  ended(end: RunEnd): void {
    if (this.#hasEnded) return;
    const code = end.kind === 'completed' ? {} : { code: end.code };
    this.#tell({ kind: 'stage-ended', ...this.#about, outcome: outcomeOf(end), ...code });
    this.#hasEnded = true;
    this.#release();
  }

  /** A run that has ended is another's: a handler that was left may still say something. */
  #tell(event: RequestEvent): void {
    if (this.#hasEnded) return;
    // Text that still collects came before it.
    if (event.kind !== 'text-delta' && event.kind !== 'reasoning-delta')
      for (const answer of this.#answers) answer.flush();
    this.#outlet.push(event);
  }
}

function outcomeOf({ kind }: RunEnd): (typeof stageOutcomes)[number] {
  switch (kind) {
    case 'completed':
      return 'completed';
    case 'cancel':
      return 'cancelled';
    case 'dead_letter':
      return 'dead_lettered';
    case 'retry':
      return 'retried';
    case 'park':
      return 'waits';
    case 'release':
    case 'lost':
      return 'released';
  }
}
