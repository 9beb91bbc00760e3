import { HttpException } from '@nestjs/common';
import { AppError } from '../kernel/app-error.ts';
import type { Clock } from '../kernel/clock.ts';
import { LogPace } from '../telemetry/log-pace.ts';
import type { Logger } from '../telemetry/logger.ts';
import { describeProblem, type DescribedProblem } from './problem.ts';

/** Turns errors into problem documents, and logs once what someone should look at. */
export class Problems {
  readonly #logger: Logger;
  readonly #pace: LogPace;

  constructor(logger: Logger, clock: Pick<Clock, 'monotonicMs'>) {
    this.#logger = logger;
    this.#pace = new LogPace(clock);
  }

  describe(
    error: unknown,
    request: { readonly path: string; readonly id: string | undefined },
  ): DescribedProblem {
    const described = describeProblem(error, request.path);
    const { status, code } = described.problem;
    if (status >= 500) this.#log(error, { requestId: request.id, path: request.path, code });
    return described;
  }

  #log(error: unknown, fields: Readonly<Record<string, unknown>>): void {
    // Refusals are counted; a line for each would be as many lines as there are too many requests.
    if (error instanceof AppError && error.code === 'MILLRACE_OVERLOADED') return;
    // A store that is away has alerts of its own; here it is one refused request, as are all that come meanwhile.
    if (error instanceof AppError && error.retryable) {
      const suppressed = this.#pace.suppressedBefore(error.code);
      if (suppressed === undefined) this.#logger.debug({ ...fields, error }, 'a request failed for now');
      else this.#logger.warn({ ...fields, error, suppressed }, 'a request failed for now');
      return;
    }
    const cause = error instanceof HttpException && error.cause !== undefined ? error.cause : error;
    this.#logger.error({ ...fields, error: cause }, 'a request failed');
  }
}
