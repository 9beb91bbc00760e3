import { Controller, Get, Header, Inject } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { ApiKeyIdentity } from '../../http/api-key-identity.ts';
import { Caller, RequireScope } from '../../http/caller.ts';
import { AppError } from '../../kernel/app-error.ts';
import type { StatusDocument } from '../status-document.ts';

/** Reads the state of the installation. */
export type StatusSource = () => Promise<StatusDocument>;

/** The injection token of the source. */
export const statusToken = Symbol('millrace:status');

/** How things stand, over all teams. */
@ApiTags('operation')
@ApiBearerAuth()
@Controller('v1/status')
export class StatusController {
  readonly #read: StatusSource;
  #reading: Promise<StatusDocument> | undefined;

  constructor(@Inject(statusToken) read: StatusSource) {
    this.#read = read;
  }

  @Get()
  @RequireScope('operations:read')
  @Header('cache-control', 'no-store')
  @ApiOperation({
    operationId: 'getStatus',
    summary:
      'Messages by stage and state, calls, and why work waits: since when, until when, what would change it',
    description:
      'Counts the whole ledger: for people, not for loops; metrics are for those. Not for keys bound to a team.',
  })
  @ApiResponse({
    status: 200,
    description: 'How things stand.',
    content: { 'application/json': { schema: { $ref: '#/components/schemas/Status' } } },
  })
  async status(@Caller() { team }: ApiKeyIdentity): Promise<StatusDocument> {
    if (team !== undefined) {
      throw new AppError(
        'MILLRACE_FORBIDDEN',
        `This API key belongs to the team "${team}"; the status is that of all teams.`,
      );
    }
    // However many ask at once, the ledger is read once.
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined;
    });
    return await this.#reading;
  }
}
