import { type Duration, durationMs } from '../../kernel/duration.ts';
import { invariant } from '../../kernel/invariant.ts';
import { type LaneWeights, defaultLaneWeights } from '../ledger/lane-shares.ts';
import type { AcceptedVersions, MessageVersion } from '../../messages/message-type.ts';
import type { Message } from '../../messages/message.ts';
import type { Lane } from './lane.ts';
import type { PipelineDefinition } from './pipeline-definition.ts';

/** How a stage answers a failure that may pass. */
export interface RetryOptions {
  /** How many attempts a message has in all, the first one included. Default 4; 1 for no retries. */
  readonly maxAttempts?: number;
  /** The pause before the second attempt, the third, …; the last one holds for all that follow. Default 1s, 5s, 25s. */
  readonly backoff?: readonly Duration[];
  /** Each pause is made longer or shorter by up to this share, by chance. Default 0.2. */
  readonly jitter?: number;
}

/** How a stage answers a model's answer that is of no use. */
export interface InvalidOutputRetryOptions {
  /**
   * How many attempts of a message may end with such an answer, counted apart from `retry.maxAttempts`: at the last of
   * them it is given up. Default 3; 1 for no retries.
   */
  readonly maxAttempts?: number;
  /** The pause before the second attempt, the third, …; the last one holds for all that follow. Default 1s, 5s. */
  readonly backoff?: readonly Duration[];
}

/** What a user says about a stage. */
export interface StageOptions<Data, Emits extends readonly MessageVersion[]> {
  /** The message type it consumes, at its version: `DocumentFetched.v2`. Older versions are brought up to it. */
  readonly consumes: AcceptedVersions<Data>;
  /** The message versions it may emit. */
  readonly emits?: Emits;
  /** The message versions that it may emit by `ctx.join`: to wait for others of the same run. */
  readonly joins?: readonly MessageVersion[];
  /** The pipeline it belongs to, by its name or as `definePipeline` declared it. Default "default". */
  readonly pipeline?: string | PipelineDefinition;
  /** The team that owns it: alerts go there. Default "platform". */
  readonly owner?: string;
  readonly retry?: RetryOptions;
  readonly invalidOutput?: InvalidOutputRetryOptions;
  /**
   * How many runs may be lost, without a failure of the message's own between them, before it is given up. A run is lost
   * when its worker dies, stands still or is cut off for longer than its lease: the message may be what causes that. Default 5.
   */
  readonly maxExpiredLeases?: number;
  /** `derived`: requests of all its steps get a seed that follows from message, step and attempt. Default: none. */
  readonly seed?: 'derived';
  /** The models it asks, as "provider/model": checked at start for a provider and a price. */
  readonly models?: readonly string[];
  /** The lane of a message for this stage. Default "standard", or "short" by `shortBelowTokens`. */
  readonly lane?: (message: { readonly data: Data }) => Lane | undefined;
  /** The lanes' shares while they have work. Default interactive 4, standard 2, bulk 1, short 2. */
  readonly lanes?: Readonly<Partial<Record<Lane, number>>>;
  /** A message that was given no lane and whose data is estimated at fewer tokens (characters / 4) goes to "short". */
  readonly shortBelowTokens?: number;
  /** Messages with the same key go one after another, in the order in which they were admitted or emitted. */
  readonly orderBy?: (message: { readonly data: Data }) => string | undefined;
  /**
   * How many messages one process works on at once. Default 16. A number holds, but for times when a model's limits let
   * less through; bounds let it follow the backlog and the process's own load, beginning with the lower one.
   */
  readonly concurrency?: number | { readonly min: number; readonly max: number };
  /** How long the handler may take for one message before its signal is aborted. Default 10m. */
  readonly timeout?: Duration;
  /** How long its backlog may take to drain; alerts and autoscalers compare with it. Default 15m. */
  readonly drainWithin?: Duration;
}

/** A stage as the host runs it. */
export interface StageDefinition<
  Data = unknown,
  Emits extends readonly MessageVersion[] = readonly MessageVersion[],
> {
  readonly name: string;
  readonly consumes: AcceptedVersions<Data>;
  /** What it may emit, by `ctx.emit` or `ctx.join`. */
  readonly emits: Emits | readonly MessageVersion[];
  /** Those of them that may wait for others. */
  readonly joins: readonly MessageVersion[];
  readonly pipeline: string;
  /** The declaration of its pipeline, if it has one. */
  readonly declaration: PipelineDefinition | undefined;
  readonly owner: string;
  readonly retry: RetryPolicy;
  readonly invalidOutput: RetryPolicy;
  readonly maxExpiredLeases: number;
  readonly seed: 'derived' | undefined;
  readonly models: readonly string[];
  readonly laneOf: ((message: { readonly data: Data }) => Lane | undefined) | undefined;
  readonly laneWeights: LaneWeights;
  readonly shortBelowTokens: number | undefined;
  readonly orderBy: ((message: { readonly data: Data }) => string | undefined) | undefined;
  readonly concurrency: number;
  /** It never goes below this. */
  readonly minConcurrency: number;
  /** It begins with this. */
  readonly startConcurrency: number;
  readonly timeoutMs: number;
  readonly drainWithinMs: number;
}

export interface RetryPolicy {
  /** In all, the first one included. */
  readonly maxAttempts: number;
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
  refuseUnknownOptions(name, options);
  const jitter = options.retry?.jitter ?? 0.2;
  invariant(jitter >= 0 && jitter <= 1, `${name}: retry.jitter lies between 0 and 1`);
  const retry = retryPolicy(`${name}: retry`, options.retry ?? {}, 4, ['1s', '5s', '25s'], jitter);
  const invalidOutput = retryPolicy(
    `${name}: invalidOutput`,
    options.invalidOutput ?? {},
    3,
    ['1s', '5s'],
    jitter,
  );
  const maxExpiredLeases = options.maxExpiredLeases ?? 5;
  invariant(
    Number.isInteger(maxExpiredLeases) && maxExpiredLeases >= 1,
    `${name}: maxExpiredLeases is a whole number above 0`,
  );
  const asked = options.concurrency ?? 16;
  const { min, max, start } =
    typeof asked === 'number' ? { min: 1, max: asked, start: asked } : { ...asked, start: asked.min };
  invariant(
    Number.isInteger(min) && Number.isInteger(max) && min >= 1 && max >= min && max <= 10_000,
    `${name}: concurrency is 1 to 10000, and its lower bound not above the upper one`,
  );
  const { shortBelowTokens } = options;
  invariant(
    shortBelowTokens === undefined || shortBelowTokens > 0,
    `${name}: shortBelowTokens is a positive number`,
  );
  const { joins = [], pipeline = 'default' } = options;
  return {
    name,
    consumes: options.consumes,
    emits: [...(options.emits ?? []), ...joins],
    joins,
    pipeline: typeof pipeline === 'string' ? pipeline : pipeline.name,
    declaration: typeof pipeline === 'string' ? undefined : pipeline,
    owner: options.owner ?? 'platform',
    retry,
    invalidOutput,
    maxExpiredLeases,
    seed: options.seed,
    models: options.models ?? [],
    laneOf: options.lane,
    laneWeights: laneWeightsOf(name, options.lanes),
    shortBelowTokens,
    orderBy: options.orderBy,
    concurrency: max,
    minConcurrency: min,
    startConcurrency: start,
    timeoutMs: durationMs(options.timeout ?? '10m'),
    drainWithinMs: durationMs(options.drainWithin ?? '15m'),
  };
}

/** Whether messages of the stage may have keys that order them: by its own option, or by that of a trigger. */
export function hasOrder({ orderBy, declaration, consumes: { typeName } }: StageDefinition): boolean {
  const triggers = declaration?.triggers ?? [];
  return (
    orderBy !== undefined ||
    triggers.some((trigger) => trigger.orderBy !== undefined && trigger.message.typeName === typeName)
  );
}

const stageOptions: Record<keyof StageOptions<unknown, []>, true> = {
  consumes: true,
  emits: true,
  joins: true,
  pipeline: true,
  owner: true,
  retry: true,
  invalidOutput: true,
  maxExpiredLeases: true,
  seed: true,
  models: true,
  lane: true,
  lanes: true,
  shortBelowTokens: true,
  orderBy: true,
  concurrency: true,
  timeout: true,
  drainWithin: true,
};
const retryOptions: Record<keyof RetryOptions, true> = { maxAttempts: true, backoff: true, jitter: true };
const invalidOutputOptions: Record<keyof InvalidOutputRetryOptions, true> = {
  maxAttempts: true,
  backoff: true,
};

/** Types do not reach callers in JavaScript: an option that is not known would be passed over in silence. */
function refuseUnknownOptions(
  name: string,
  options: Pick<StageOptions<never, []>, 'retry' | 'invalidOutput'>,
): void {
  const lists = [
    { what: name, given: options, known: stageOptions },
    { what: `${name}: retry`, given: options.retry, known: retryOptions },
    { what: `${name}: invalidOutput`, given: options.invalidOutput, known: invalidOutputOptions },
  ];
  for (const { what, given = {}, known } of lists)
    for (const option of Object.keys(given))
      invariant(
        Object.hasOwn(known, option),
        `${what} has no option "${option}"; its options are ${Object.keys(known).join(', ')}`,
      );
}

function laneWeightsOf(name: string, given: Readonly<Partial<Record<Lane, number>>> = {}): LaneWeights {
  for (const [lane, weight] of Object.entries(given)) {
    invariant(lane in defaultLaneWeights, `${name}: lanes: "${lane}" is a lane`);
    // Nought would starve the lane; the bound keeps virtual times exact.
    invariant(weight >= 0.001 && weight <= 1000, `${name}: lanes.${lane} lies between 0.001 and 1000`);
  }
  return { ...defaultLaneWeights, ...given };
}

/** The definition with a fixed number of slots in place of its own; unchanged without one. */
export function withConcurrency(
  definition: StageDefinition,
  concurrency: number | undefined,
): StageDefinition {
  if (concurrency === undefined) return definition;
  return { ...definition, concurrency, minConcurrency: 1, startConcurrency: concurrency };
}

function retryPolicy(
  what: string,
  options: Pick<RetryOptions, 'maxAttempts' | 'backoff'>,
  defaultMaxAttempts: number,
  defaultBackoff: readonly Duration[],
  jitter: number,
): RetryPolicy {
  const maxAttempts = options.maxAttempts ?? defaultMaxAttempts;
  const backoffMs = (options.backoff ?? defaultBackoff).map((pause) => durationMs(pause));
  invariant(
    Number.isInteger(maxAttempts) && maxAttempts >= 1,
    `${what}.maxAttempts is a whole number above 0; it counts the first attempt too`,
  );
  invariant(backoffMs.length > 0, `${what}.backoff names at least one pause`);
  return { maxAttempts, backoffMs, jitter };
}
