import { drawInteger, drawOne, type Draws, type Random } from './draws.ts';
import type { ModelRequest } from './endpoint.ts';
import { type Refusal, refusalsOf } from './provider-errors.ts';
import type { SimulatorConfig } from './simulator-config.ts';
import type { SimulatedProvider } from './simulator-prices.ts';
import type { TrickName } from './trick-names.ts';

/*
 * What a hostile provider does instead of answering well: it redirects, floods, lies about usage, fails under status
 * 200, echoes keys. Which trick a request meets, and its variant, follow from the seed, the request and the attempt.
 */

/** A trick with its particulars. */
export interface Trick {
  readonly name: TrickName;
  /** What of it is drawn while it is played. */
  readonly random: Random;
  /** The provider's words, for the tricks that are errors. */
  readonly refusal: Refusal | undefined;
  /** Whether the request is billed all the same. */
  readonly isBilled: boolean;
}

const onlyStreamed: ReadonlySet<TrickName> = new Set([
  'flood_events',
  'flood_line',
  'usage_falling',
  'error_before_text',
  'error_in_text',
]);
const onlyWhole: ReadonlySet<TrickName> = new Set(['flood_body', 'error_as_answer']);
const onlyWithUsage: ReadonlySet<TrickName> = new Set([
  'usage_absurd',
  'usage_zero',
  'usage_negative',
  'usage_text',
  'usage_float',
  'usage_falling',
]);
/** Whoever refuses with a status, or before any work, does not bill. */
const neverBilled: ReadonlySet<TrickName> = new Set(['redirect', 'echo_in_error', 'absurd_wait']);

/** The trick that a request meets; undefined when it is answered well. */
export function drawTrick(
  { hostile }: SimulatorConfig,
  draws: Draws,
  { request, provider }: { readonly request: ModelRequest; readonly provider: SimulatedProvider },
): Trick | undefined {
  if (hostile === undefined || request.embeddings !== undefined) return undefined;
  const random = draws.stream('hostile');
  if (random() >= hostile.share) return undefined;
  const possible = hostile.tricks.filter((name) => isPossible(name, request));
  const name = drawOne(random, possible);
  if (name === undefined) return undefined;
  const { refusal, isBeforeWork } = refusalOf(name, provider, request, random);
  return { name, random, refusal, isBilled: !neverBilled.has(name) && !isBeforeWork };
}

function isPossible(name: TrickName, request: ModelRequest): boolean {
  if (onlyStreamed.has(name) && !request.stream) return false;
  if (onlyWhole.has(name) && request.stream) return false;
  return request.wantsUsage || !onlyWithUsage.has(name);
}

interface DrawnRefusal {
  readonly refusal: Refusal | undefined;
  /** It is one that providers give before any work, and nothing else came with it. */
  readonly isBeforeWork: boolean;
}

function refusalOf(
  name: TrickName,
  provider: SimulatedProvider,
  { model }: ModelRequest,
  random: Random,
): DrawnRefusal {
  const refusals = refusalsOf[provider];
  const isError =
    name === 'error_as_answer' ||
    name === 'error_before_text' ||
    name === 'error_in_text' ||
    name === 'echo_in_error';
  if (name === 'absurd_wait') {
    return { refusal: refusals.rateLimited(model, 'requests', 500, 1000), isBeforeWork: true };
  }
  if (!isError) return { refusal: undefined, isBeforeWork: false };
  const beforeWork = [
    refusals.rateLimited(model, 'requests', 500, drawInteger(random, 1, 400)),
    refusals.unauthorised(),
    refusals.unknownModel(model),
    refusals.contextTooLong(500_000, 400_000),
  ];
  const others = [refusals.serverError(), refusals.overloaded(), refusals.contentPolicy()];
  const refusal = drawOne(random, [...beforeWork, ...others]);
  return {
    refusal,
    isBeforeWork: name !== 'error_in_text' && beforeWork.some((one) => one === refusal),
  };
}
