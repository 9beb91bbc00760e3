import type { EmbeddingModelV4, LanguageModelV4 } from '@ai-sdk/provider';
import type { MessageVersion } from '../../messages/message-type.ts';
import type { Message } from '../../messages/message.ts';
import type { Duration } from '../../kernel/duration.ts';
import type { StartOptions } from '../../messages/start-time.ts';
import type { MicroBatchOptions } from '../calls/micro-batch-settings.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { Emitted } from './emitted.ts';
import type { Joined } from './joined.ts';

/** How a stage names the place where it calls a model. */
export interface StepOptions {
  /** A name for this place in the handler: its answer is recorded once a message and reused by retries and replays. */
  readonly step: string;
  /**
   * Which recorded answers may be given again: to the same question only (default), or, for a handler whose prompts
   * differ from run to run, whatever was answered at this place ("always").
   */
  readonly reuse?: 'same_question' | 'always';
  /** Answers that are good here though usually they are invalid outputs: empty ones, and ones cut off at their longest. */
  readonly accept?: readonly ('empty' | 'truncated')[];
  /**
   * Whether the text of an answer is of use: true, or what is wrong with it; what it throws is wrong with it, too. One that
   * is not is rejected (as `ctx.reject` does it) before the handler sees it.
   */
  readonly validate?: (text: string) => true | string;
  /**
   * Gives a request without a seed one that follows from message, step and attempt, where the provider's API has seeds
   * (chat completions). Default: as the stage says.
   */
  readonly seed?: 'derived';
}

/** How a stage names the place where it calls a language model. */
export interface ModelStepOptions extends StepOptions {
  /**
   * Which model ("provider/model") is asked while this one's circuit is not closed; false for none. Default: as
   * configured (`models.fallbacks`).
   */
  readonly fallback?: string | false;
  /**
   * Publishes the text and reasoning of answers, as they come, to the clients that stream the request (docs/streams.md): of `streamText`
   * piece by piece, of `generateText` as a whole. Costs nothing for messages that follow from no request. Default false.
   */
  readonly publish?: boolean;
}

/** How a stage names the place where several language models are asked, smallest first. */
export interface CascadeStepOptions extends Omit<StepOptions, 'accept'> {
  /**
   * Whether the text of a smaller model's answer is taken: true, or why the next model is to be asked; what it throws is why, too. It is
   * asked once for an answer, and what it says stands for all later runs of the message. An answer that is empty, cut off or fails
   * `validate` is not taken without asking; the last model's answer is only judged by `validate`.
   */
  readonly accept: (text: string) => true | string;
}

/** How a stage names the place where it calls an embedding model. */
export interface EmbeddingStepOptions extends StepOptions {
  /**
   * Puts requests of several messages of this process into one request to the provider: those of the same stage, step and options, by
   * default of the same team. Each message's part is a call of its own, with its share of the tokens and of the cost. Default false.
   */
  readonly microBatch?: boolean | MicroBatchOptions;
}

/** The data that a message version takes. */
export type DataOf<Version extends MessageVersion> = NonNullable<Version['~data']>;

/** What a joined message waits for. */
export interface JoinOptions {
  /** What `ctx.emit` and `ctx.join` answered. None: the message waits for nothing. */
  readonly of: readonly Emitted[];
  /** It goes on as soon as so many have succeeded, or no longer can. Default: it waits until all have ended, however they did. */
  readonly quorum?: number;
  /** It goes on after this time at the latest. Default: none. */
  readonly timeout?: Duration;
  /**
   * What has to end: the message and all that follows from it (`branch`, default), or only the message itself, whatever it has emitted
   * (`message`).
   */
  readonly until?: 'branch' | 'message';
}

/** How a message waits for an outside event. */
export interface EventWaitOptions<Data> {
  /** How long it waits: at most a year. Default 7d. */
  readonly timeout?: Duration;
  /** The data that it goes on with when the time is over. Default: none, it is given up with MILLRACE_WAIT_EXPIRED. */
  readonly otherwise?: Data;
  /** What is waited for, in words, for whoever looks at what waits. At most 500 characters. */
  readonly note?: string;
}

/** A message that waits for an outside event. */
export interface EventWait extends Emitted {
  /** Of the message. */
  readonly id: string;
  /** Who has it can give the message its data, once. Kept nowhere; another attempt of the handler gets another one for the same message. */
  readonly token: string;
}

/** What a handler works with besides its message. Everything it does through here counts once, whatever happens. */
export interface StageContext {
  /**
   * Aborts when the lease has expired, the stage's time is over or the host must stop: hand it to everything that takes
   * a signal (`abortSignal: ctx.signal`).
   */
  readonly signal: AbortSignal;
  /** Which attempt this is, from 1. */
  readonly attempt: number;
  /** Carries the message's origin, id and trace; never log payloads. */
  readonly logger: Logger;
  /** A metered AI SDK language model, by "provider/model". */
  model(reference: string, options: ModelStepOptions): LanguageModelV4;
  /**
   * Several metered language models as one, smallest first, two to five: each is asked when the answers of those before it were not
   * accepted. An answer that was not accepted is paid for; it is no failure, no waste, and counts against no attempts.
   */
  cascade(references: readonly string[], options: CascadeStepOptions): LanguageModelV4;
  /** A metered AI SDK embedding model, by "provider/model". */
  embeddingModel(reference: string, options: EmbeddingStepOptions): EmbeddingModelV4;
  /**
   * Tells clients that wait for the request how much of this handler's work is done, from 0 to 1. It is told now and then and kept
   * nowhere. Throws for what is no such number.
   */
  progress(share: number): void;
  /**
   * Gives up this attempt because a model's answer is of no use: the latest of the named step, or of the run. It is
   * asked for again, within the stage's `invalidOutput.maxAttempts`; what it cost is counted as waste.
   */
  reject(reason: string, options?: { readonly step?: string }): never;
  /**
   * Emits a message of a version that the stage declared. It is written in the same transaction that ends this
   * message: all of it, once, or nothing. Throws when the data does not fit its schema: MILLRACE_MESSAGE_INVALID, or,
   * after a model's answer, MILLRACE_OUTPUT_INVALID. With `startAt` or `delay` it starts later; an output that no stage
   * takes is there at once all the same.
   */
  emit<Version extends MessageVersion>(
    version: Version,
    data: DataOf<Version>,
    options?: StartOptions,
  ): Emitted;
  /**
   * Emits a message that waits until others of this run have ended. The stage that consumes it runs once, with what came of them in
   * `ctx.joined`. At most 10,000 are joined at once, each by one join.
   */
  join<Version extends MessageVersion>(
    version: Version,
    data: DataOf<Version>,
    options: JoinOptions,
  ): Emitted;
  /**
   * Emits a message that waits until somebody gives it its data: an outside event, or a person's approval. Answers the token with which that is
   * done, once (`POST /v1/waits/{token}`). One stage has to consume the version.
   */
  waitFor<Version extends MessageVersion>(
    version: Version,
    options?: EventWaitOptions<DataOf<Version>>,
  ): Promise<EventWait>;
  /** What the message waited for; undefined for one that was not emitted by `join`. */
  readonly joined: Joined | undefined;
}

/** The class behind a stage. What `handle` returns (JSON) is kept as the message's result. */
export interface StageHandler<Data = never> {
  handle(message: Message<Data>, context: StageContext): unknown;
}
