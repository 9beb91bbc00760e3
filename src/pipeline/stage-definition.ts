import { type Duration, durationMs } from '../kernel/duration.ts';
import { invariant } from '../kernel/invariant.ts';
import type { AcceptedVersions, MessageVersion } from '../messages/message-type.ts';
import type { Message } from '../messages/message.ts';
import type { Lane } from './lane.ts';

/** How a stage answers a failure that may pass. */
export interface RetryOptions {
  /** How many further attempts follow the first. Default 3. */
  readonly attempts?: number;
  /** The pause before each further attempt; the last one holds for all that follow. Default 1s, 5s, 25s. */
  readonly backoff?: readonly Duration[];
  /** Each pause is made longer or shorter by up to this share, by chance. Default 0.2. */
  readonly jitter?: number;
}

/** How a stage answers a model's answer that is of no use. */
export interface DegenerateOptions {
  /** How many further attempts such answers have, apart from `retry.attempts`. Default 2. */
  readonly attempts?: number;
  /** The pause before each further attempt; the last one holds for all that follow. Default 1s, 5s. */
  readonly backoff?: readonly Duration[];
}

/** What a user says about a stage. */
export interface StageOptions<Data, Emits extends readonly MessageVersion[]> {
  /** The message type it consumes, with the schema versions it accepts: `DocumentFetched.upTo(2)`. */
  readonly consumes: AcceptedVersions<Data>;
  /** The message versions it may emit. */
  readonly emits?: Emits;
  /** The pipeline it belongs to. Default "default". */
  readonly pipeline?: string;
  /** The team that owns it: alerts go there. Default "platform". */
  readonly owner?: string;
  readonly retry?: RetryOptions;
  readonly degenerate?: DegenerateOptions;
  /** `derived`: requests of all its steps get a seed that follows from message, step and attempt. Default: none. */
  readonly seed?: 'derived';
  /** The models it asks, as "provider/model": checked at start for a provider and a price. */
  readonly models?: readonly string[];
  /** The lane of a message for this stage. Default "standard". */
  readonly lane?: (message: { readonly data: Data }) => Lane;
  /** How many messages one process works on at once. Default 16. */
  readonly concurrency?: number;
  /** How long the handler may take for one message before its signal is aborted. Default 10m. */
  readonly timeout?: Duration;
}

/** A stage as the host runs it. */
export interface StageDefinition<
  Data = unknown,
  Emits extends readonly MessageVersion[] = readonly MessageVersion[],
> {
  readonly name: string;
  readonly consumes: AcceptedVersions<Data>;
  readonly emits: Emits;
  readonly pipeline: string;
  readonly owner: string;
  readonly retry: RetryPolicy;
  readonly degenerate: RetryPolicy;
  readonly seed: 'derived' | undefined;
  readonly models: readonly string[];
  readonly laneOf: ((message: { readonly data: Data }) => Lane) | undefined;
  readonly concurrency: number;
  readonly timeoutMs: number;
}

export interface RetryPolicy {
  readonly attempts: number;
  readonly backoffMs: readonly number[];
  readonly jitter: number;
}

/** The message that a stage's handler gets: `MessageOf<typeof summarise>`. */
export type MessageOf<Definition> =
  Definition extends StageDefinition<infer Data, infer _Emits> ? Message<Data> : never;

const namePattern = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/;

/**
 * Defines a stage: what it consumes, what it may emit, and how it treats failure. The handler is a class marked
 * `@Stage(definition)`. Names are lower case with dashes and unique in a host.
 */
export function defineStage<Data, const Emits extends readonly MessageVersion[] = readonly []>(
  name: string,
  options: StageOptions<Data, Emits>,
): StageDefinition<Data, Emits> {
  invariant(
    namePattern.test(name) && name.length <= 64,
    `"${name}" is a stage name (lower case with dashes, at most 64)`,
  );
  const jitter = options.retry?.jitter ?? 0.2;
  invariant(jitter >= 0 && jitter <= 1, `${name}: retry.jitter lies between 0 and 1`);
  const retry = retryPolicy(`${name}: retry`, options.retry ?? {}, 3, ['1s', '5s', '25s'], jitter);
  const degenerate = retryPolicy(`${name}: degenerate`, options.degenerate ?? {}, 2, ['1s', '5s'], jitter);
  const concurrency = options.concurrency ?? 16;
  invariant(
    Number.isInteger(concurrency) && concurrency >= 1 && concurrency <= 10_000,
    `${name}: concurrency is 1 to 10000`,
  );
  return {
    name,
    consumes: options.consumes,
    // Without `emits` the type parameter's default is the empty list.
    emits: options.emits ?? ([] as readonly MessageVersion[] as Emits),
    pipeline: options.pipeline ?? 'default',
    owner: options.owner ?? 'platform',
    retry,
    degenerate,
    seed: options.seed,
    models: options.models ?? [],
    laneOf: options.lane,
    concurrency,
    timeoutMs: durationMs(options.timeout ?? '10m'),
  };
}

function retryPolicy(
  what: string,
  options: Pick<RetryOptions, 'attempts' | 'backoff'>,
  defaultAttempts: number,
  defaultBackoff: readonly Duration[],
  jitter: number,
): RetryPolicy {
  const attempts = options.attempts ?? defaultAttempts;
  const backoffMs = (options.backoff ?? defaultBackoff).map((pause) => durationMs(pause));
  invariant(Number.isInteger(attempts) && attempts >= 0, `${what}.attempts is a whole number`);
  invariant(backoffMs.length > 0, `${what}.backoff names at least one pause`);
  return { attempts, backoffMs, jitter };
}
