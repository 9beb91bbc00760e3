import { Controller, Get, Header, HttpStatus, Inject, Res } from '@nestjs/common';
import { ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { ResponseWriter } from '../../http/response-writer.ts';
import { Readiness, type ReadinessReport } from './readiness.ts';

const report = { 'application/json': { schema: { $ref: '#/components/schemas/Readiness' } } };

/** Whether the process runs, and whether it can work. */
@ApiTags('operation')
@Controller('health')
export class HealthController {
  readonly #readiness: Readiness;

  constructor(@Inject(Readiness) readiness: Readiness) {
    this.#readiness = readiness;
  }

  @Get('live')
  @Header('cache-control', 'no-store')
  @ApiOperation({ operationId: 'getLiveness', summary: 'Whether the process answers at all' })
  @ApiResponse({
    status: 200,
    description: 'It does.',
    content: {
      'application/json': {
        schema: {
          type: 'object',
          properties: { status: { type: 'string', enum: ['live'] } },
          required: ['status'],
        },
      },
    },
  })
  live(): { readonly status: 'live' } {
    return { status: 'live' };
  }

  @Get()
  @Header('cache-control', 'no-store')
  @ApiOperation({
    operationId: 'getHealth',
    summary: 'The same as /health/ready, for whoever tries the shorter path',
  })
  @ApiResponse({ status: 200, description: 'Ready, or degraded.', content: report })
  @ApiResponse({ status: 503, description: 'Not ready.', content: report })
  async health(@Res({ passthrough: true }) response: ResponseWriter): Promise<ReadinessReport> {
    return await this.ready(response);
  }

  @Get('ready')
  @Header('cache-control', 'no-store')
  @ApiOperation({
    operationId: 'getReadiness',
    summary: 'Whether the process can work, and which of its stores answer',
  })
  @ApiResponse({
    status: 200,
    description: 'Ready, or degraded: the column store is away and usage waits in the ledger.',
    content: report,
  })
  @ApiResponse({
    status: 503,
    description: 'Not ready: a store that is needed is away, or the process stops.',
    content: report,
  })
  async ready(@Res({ passthrough: true }) response: ResponseWriter): Promise<ReadinessReport> {
    const readiness = await this.#readiness.report();
    const mayWork = readiness.status === 'ready' || readiness.status === 'degraded';
    response.status(mayWork ? HttpStatus.OK : HttpStatus.SERVICE_UNAVAILABLE);
    return readiness;
  }
}
