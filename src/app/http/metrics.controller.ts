import { Controller, Get, Inject, Res } from '@nestjs/common';
import { ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';

/** What can be scraped: the part of Metrics that this controller needs. */
export interface MetricsSource {
  render(): Promise<{ readonly contentType: string; readonly body: string }>;
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

  constructor(@Inject(metricsToken) metrics: MetricsSource) {
    this.#metrics = metrics;
  }

  @Get()
  @ApiOperation({ operationId: 'getMetrics', summary: "This process's metrics, for Prometheus" })
  @ApiResponse({
    status: 200,
    description: 'The text exposition format; docs/metrics.md lists every metric.',
    content: { 'text/plain': { schema: { type: 'string' } } },
  })
  async get(@Res({ passthrough: true }) response: HeaderWriter): Promise<string> {
    const { contentType, body } = await this.#metrics.render();
    response.header('content-type', contentType);
    response.header('cache-control', 'no-store');
    return body;
  }
}
