import { type ArgumentsHost, Catch, type ExceptionFilter, Inject } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { AppError } from '../kernel/app-error.ts';
import { problemMediaType } from './problem.ts';
import { Problems } from './problems.ts';
import { shownPathOf, requestIdOf } from './request-facts.ts';

/**
 * Answers operating failures with a problem document. It takes Millrace's own errors only, so that it does no harm in
 * an application that answers its other errors in its own way.
 */
@Catch(AppError)
export class AppErrorFilter implements ExceptionFilter {
  readonly #problems: Problems;
  readonly #adapterHost: HttpAdapterHost;

  constructor(@Inject(Problems) problems: Problems, @Inject(HttpAdapterHost) adapterHost: HttpAdapterHost) {
    this.#problems = problems;
    this.#adapterHost = adapterHost;
  }

  catch(error: unknown, host: ArgumentsHost): void {
    const { httpAdapter } = this.#adapterHost;
    const http = host.switchToHttp();
    const request = http.getRequest<object>();
    const response = http.getResponse<object>();
    const { problem, retryAfterSeconds } = this.#problems.describe(error, {
      path: shownPathOf(String(httpAdapter.getRequestUrl(request))),
      id: requestIdOf(request),
    });
    httpAdapter.setHeader(response, 'content-type', problemMediaType);
    httpAdapter.setHeader(response, 'cache-control', 'no-store');
    if (problem.status === 401)
      httpAdapter.setHeader(response, 'www-authenticate', 'Bearer realm="millrace"');
    if (retryAfterSeconds !== undefined) {
      httpAdapter.setHeader(response, 'retry-after', String(retryAfterSeconds));
    }
    httpAdapter.reply(response, JSON.stringify(problem), problem.status);
  }
}

/** The same for every error: for an application that is Millrace's own. */
@Catch()
export class ProblemFilter extends AppErrorFilter {}
