/*
 * How many tokens a request will use, before it is made: the estimate of its input, plus what such requests used beyond
 * their input estimates so far (a running mean). That is their output, and whatever the input estimate gets wrong every time.
 */

export interface ExpectedRequest {
  readonly provider: string;
  readonly model: string;
  readonly stage: string;
  readonly step: string;
  readonly maxInputTokens: number;
  readonly maxOutputTokens: number;
}

interface Experience {
  count: number;
  meanBeyondInput: number;
}

/** What an answer is taken for that is the first of its kind, unless it is bounded lower. */
const firstOutputTokens = 1024;
/** Newer requests count for at least this share, so that a change is followed. */
const newestShare = 0.05;
/** Kinds of requests that are remembered; past that the oldest is forgotten. */
const maxKinds = 2000;

export class ExpectedTokens {
  readonly #experiences = new Map<string, Experience>();

  /** At least 1, and never above what the request can use at most. */
  expect(request: ExpectedRequest, inputTokens: number): number {
    const { maxInputTokens, maxOutputTokens } = request;
    const beyondInput =
      this.#experiences.get(kindOf(request))?.meanBeyondInput ?? Math.min(maxOutputTokens, firstOutputTokens);
    const expected = Math.min(inputTokens + beyondInput, maxInputTokens + maxOutputTokens);
    return Math.max(1, Math.round(expected));
  }

  /** A request has ended that used so many tokens in all. */
  learn(request: ExpectedRequest, inputTokens: number, tokens: number): void {
    const kind = kindOf(request);
    const known = this.#experiences.get(kind) ?? { count: 0, meanBeyondInput: 0 };
    known.count += 1;
    const share = Math.max(1 / known.count, newestShare);
    known.meanBeyondInput += (tokens - inputTokens - known.meanBeyondInput) * share;
    this.#experiences.set(kind, known);
    if (this.#experiences.size <= maxKinds) return;
    for (const oldest of this.#experiences.keys()) {
      this.#experiences.delete(oldest);
      break;
    }
  }
}

function kindOf({ provider, model, stage, step }: ExpectedRequest): string {
  return `${stage}\u0000${step}\u0000${provider}/${model}`;
}
