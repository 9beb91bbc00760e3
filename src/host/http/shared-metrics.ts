import { AppError } from '../../kernel/app-error.ts';
import type { ExpositionFormat } from '../../telemetry/exposition.ts';

/** What can be scraped: the part of Metrics that the server needs. */
export interface MetricsSource {
  render(format?: ExpositionFormat): Promise<{ readonly contentType: string; readonly body: string }>;
}

/** An exposition as it is sent. */
export interface SentMetrics {
  readonly contentType: string;
  readonly body: Buffer;
}

interface Rendering {
  readonly answer: Promise<SentMetrics>;
  scrapes: number;
}

/** A Prometheus and its deputy ask twice in some seconds; far more at once are no scrapes. */
export const maxSharedScrapes = 20;

/** Metrics of which scrapes that come together share one exposition: it is made once, for a bounded number of them. */
export class SharedMetrics {
  readonly #metrics: MetricsSource;
  readonly #rendering = new Map<ExpositionFormat, Rendering>();

  constructor(metrics: MetricsSource) {
    this.#metrics = metrics;
  }

  /** Throws MILLRACE_OVERLOADED when too many wait for the exposition that is being made. */
  async render(format: ExpositionFormat = 'text'): Promise<SentMetrics> {
    const running = this.#rendering.get(format) ?? this.#start(format);
    if (running.scrapes >= maxSharedScrapes) {
      throw new AppError('MILLRACE_OVERLOADED', `${maxSharedScrapes} scrapes are in progress.`, {
        retryAfterMs: 1000,
      });
    }
    running.scrapes += 1;
    return await running.answer;
  }

  #start(format: ExpositionFormat): Rendering {
    const answer = this.#metrics
      .render(format)
      .then(({ contentType, body }) => ({ contentType, body: Buffer.from(body) }))
      .finally(() => this.#rendering.delete(format));
    const started = { answer, scrapes: 0 };
    this.#rendering.set(format, started);
    return started;
  }
}
