import { Controller, Get, Headers, Inject, Res } from '@nestjs/common';
import { ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import { type ExpositionFormat, formatFor } from '../../telemetry/exposition.ts';

/** What can be scraped: the part of Metrics that this controller needs. */
export interface MetricsSource {
  render(format?: ExpositionFormat): Promise<{ readonly contentType: string; readonly body: string }>;
}

/** The injection token of the metrics. */
export const metricsToken = Symbol('millrace:metrics');

interface HeaderWriter {
  header(name: string, value: string): unknown;
}

@ApiTags('operation')
@Controller('metrics')
export class MetricsController {
  readonly #metrics: MetricsSource;
  readonly #rendering = new Map<ExpositionFormat, ReturnType<MetricsSource['render']>>();

  constructor(@Inject(metricsToken) metrics: MetricsSource) {
    this.#metrics = metrics;
  }

  @Get()
  @ApiOperation({ operationId: 'getMetrics', summary: "This process's metrics, for Prometheus" })
  @ApiResponse({
    status: 200,
    description:
      'The text exposition format, or OpenMetrics with exemplars for those who ask for it; docs/metrics.md lists every metric.',
    content: {
      'text/plain': { schema: { type: 'string' } },
      'application/openmetrics-text': { schema: { type: 'string' } },
    },
  })
  async get(
    @Headers('accept') accept: string | undefined,
    @Res({ passthrough: true }) response: HeaderWriter,
  ): Promise<string> {
    const { contentType, body } = await this.#render(formatFor(accept));
    response.header('content-type', contentType);
    response.header('vary', 'accept');
    response.header('cache-control', 'no-store');
    return body;
  }

  /** Scrapes that come together share one exposition. */
  #render(format: ExpositionFormat): ReturnType<MetricsSource['render']> {
    const running = this.#rendering.get(format);
    if (running !== undefined) return running;
    const started = this.#metrics.render(format).finally(() => this.#rendering.delete(format));
    this.#rendering.set(format, started);
    return started;
  }
}
