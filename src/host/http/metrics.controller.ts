import { Controller, Get, Headers, Inject, Res } from '@nestjs/common';
import { ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { ResponseWriter } from '../../http/response-writer.ts';
import { scrapeFormat } from './scrape-format.ts';
import { type MetricsSource, SharedMetrics } from './shared-metrics.ts';

/** The injection token of the metrics. */
export const metricsToken = Symbol('millrace:metrics');

interface BodyWriter extends ResponseWriter {
  send(body: Buffer): unknown;
}

@ApiTags('operation')
@Controller('metrics')
export class MetricsController {
  readonly #metrics: SharedMetrics;

  constructor(@Inject(metricsToken) metrics: MetricsSource) {
    this.#metrics = new SharedMetrics(metrics);
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
  async get(@Headers('accept') accept: string | undefined, @Res() response: BodyWriter): Promise<void> {
    const { contentType, body } = await this.#metrics.render(scrapeFormat(accept));
    response.header('content-type', contentType);
    response.header('vary', 'accept');
    response.header('cache-control', 'no-store');
    // By its own hand: what is returned, Express would write as JSON.
    response.send(body);
  }
}
