import type { ExpositionFormat } from '../../telemetry/exposition.ts';

/** What can be scraped: the part of Metrics that the server needs. */
export interface MetricsSource {
  render(format?: ExpositionFormat): Promise<{ readonly contentType: string; readonly body: string }>;
}

/** Metrics of which scrapes that come together share one exposition: however many they are, it is made once. */
export class SharedMetrics implements MetricsSource {
  readonly #metrics: MetricsSource;
  readonly #rendering = new Map<ExpositionFormat, ReturnType<MetricsSource['render']>>();

  constructor(metrics: MetricsSource) {
    this.#metrics = metrics;
  }

  render(format: ExpositionFormat = 'text'): ReturnType<MetricsSource['render']> {
    const running = this.#rendering.get(format);
    if (running !== undefined) return running;
    const started = this.#metrics.render(format).finally(() => this.#rendering.delete(format));
    this.#rendering.set(format, started);
    return started;
  }
}
