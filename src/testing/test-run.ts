import { formatUsd, sumUsd, usd } from '../kernel/money.ts';
import type { MessageState } from '../engine/ledger/message-state.ts';
import type { MessageVersion } from '../messages/message-type.ts';
import type { DataOf } from '../engine/pipeline/stage-context.ts';

/** One message that exists after a run. */
export interface RunMessage {
  readonly type: string;
  /** The stage that takes it; empty for an output, which no stage consumes. */
  readonly stage: string;
  readonly state: MessageState;
  readonly data: unknown;
  /** What the handler returned. */
  readonly result: unknown;
  /** Attempts that failed, invalid outputs not among them. */
  readonly attempts: number;
  readonly errorCode: string | undefined;
  /** What its latest failed attempt died of: code, message and causes. Also while it waits for the next attempt. */
  readonly error: string | undefined;
}

/** One request that reached a model. */
export interface RunCall {
  readonly stage: string;
  readonly step: string;
  /** As "provider/model". */
  readonly model: string;
  /** How it ended: "ok", "error", "aborted", …; undefined while it is open. */
  readonly outcome: string | undefined;
  /** Its exact cost, as a decimal text; undefined without a price or an end. */
  readonly usd: string | undefined;
  /** What the model was asked, as one text. */
  readonly prompt: string | undefined;
}

/** What calls cost, for `expect(run.spend()).toEqual(…)`. */
export interface RunSpend {
  /** Requests that reached a model. */
  readonly calls: number;
  /** The exact cost of the priced ones, as a decimal text. */
  readonly usd: string;
}

const maxPromptCharacters = 400;

/** What came of an admitted message and of all that followed from it, as of now. */
export class TestRun {
  readonly messages: readonly RunMessage[];
  /** The requests to models, in order. */
  readonly calls: readonly RunCall[];

  constructor(messages: readonly RunMessage[], calls: readonly RunCall[]) {
    this.messages = messages;
    this.calls = calls;
  }

  /** The state of the admitted message itself. */
  get state(): MessageState | undefined {
    return this.messages[0]?.state;
  }

  /** What the first message that is not completed died of; undefined when none failed. */
  get error(): string | undefined {
    return this.messages.find(({ state, error }) => state !== 'completed' && error !== undefined)?.error;
  }

  /** The data of all messages of this version's type that were emitted, in order. */
  emitted<Version extends MessageVersion>(version: Version): readonly DataOf<Version>[] {
    return this.messages
      .slice(1)
      .filter((message) => message.type === version.typeName)
      .map((message) => message.data as DataOf<Version>);
  }

  /** What all calls of this message and its followers cost. */
  spend(): RunSpend {
    const costs = this.calls.flatMap((call) => (call.usd === undefined ? [] : [usd(call.usd)]));
    return { calls: this.calls.length, usd: formatUsd(sumUsd(costs)) };
  }

  /** Throws, with the report, unless every message is completed. */
  assertCompleted(): void {
    if (this.messages.every(({ state }) => state === 'completed')) return;
    throw new Error(`Not every message of the run is completed.\n${this.report()}`);
  }

  /** The run for people: messages with their errors, calls with what was asked. Also `expect(run.state, run.report())`. */
  report(): string {
    const messages = this.messages.flatMap(({ type, stage, state, attempts, error }) => [
      `${type} → ${stage === '' ? '(output)' : stage}: ${state}${attempts === 0 ? '' : `, ${attempts} failed attempts`}`,
      ...(error === undefined ? [] : [`  ${error}`]),
    ]);
    const calls = this.calls.flatMap(({ stage, step, model, outcome, usd: cost, prompt }) => [
      `call of ${stage}, step "${step}", ${model}: ${outcome ?? 'open'}, ${cost === undefined ? 'no price or still open' : `${cost} USD`}`,
      ...(prompt === undefined ? [] : [`  asked: ${shortened(prompt)}`]),
    ]);
    return [...messages, ...calls].join('\n');
  }
}

function shortened(prompt: string): string {
  const line = prompt.replaceAll(/\s+/g, ' ').trim();
  return line.length <= maxPromptCharacters ? line : `${line.slice(0, maxPromptCharacters).toWellFormed()}…`;
}
