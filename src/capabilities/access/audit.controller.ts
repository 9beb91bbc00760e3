import { Controller, Get, Header, Inject, Query } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiQuery, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { ApiKeyIdentity } from '../../http/api-key-identity.ts';
import { Caller, RequireScope } from '../../http/caller.ts';
import { jsonOf } from '../../http/json-content.ts';
import { parseRequest } from '../../http/request-faults.ts';
import { type AuditList, listAudit } from './audit-documents.ts';
import { AuditLog } from './audit-log.ts';
import { auditQuerySchema, maxAuditEntries } from './audit-requests.ts';

const text = { required: false, schema: { type: 'string' } } as const;

/** The audit over HTTP. A key of a team sees that team's entries only. */
@ApiTags('audit')
@ApiBearerAuth()
@Controller('v1/audit')
export class AuditController {
  readonly #log: AuditLog;

  constructor(@Inject(AuditLog) log: AuditLog) {
    this.#log = log;
  }

  @Get()
  @RequireScope('audit:read')
  @Header('cache-control', 'no-store')
  @ApiOperation({
    operationId: 'listAudit',
    summary: 'What operators have changed: who, when, what, from what to what, and why; newest first',
    description:
      'A page looks at a bounded number of entries: it may hold fewer than asked for, even none, and still have a next. A key bound to ' +
      'a team sees the entries of that team: of its own operators, and about what is the team’s alone.',
  })
  @ApiQuery({ name: 'actor', ...text, description: 'Who did it, as an entry shows it.' })
  @ApiQuery({
    name: 'action',
    ...text,
    description: 'What was done ("keys.revoke"), or what it was done to ("keys").',
  })
  @ApiQuery({ name: 'target', ...text, description: 'What it was done to, as an entry shows it.' })
  @ApiQuery({ name: 'team', ...text, description: 'Entries of this team only.' })
  @ApiQuery({ name: 'from', ...text, description: 'First moment, a date or a time with its zone.' })
  @ApiQuery({ name: 'to', ...text, description: 'Last moment, excluded.' })
  @ApiQuery({
    name: 'limit',
    required: false,
    description: 'The most entries in the answer.',
    schema: { type: 'integer', minimum: 1, maximum: maxAuditEntries, default: 50 },
  })
  @ApiQuery({ name: 'after', ...text, description: 'The "next" of the answer before.' })
  @ApiResponse({ status: 200, description: 'A page.', content: jsonOf('AuditList') })
  async list(@Query() query: unknown, @Caller() caller: ApiKeyIdentity): Promise<AuditList> {
    const { filter, ...page } = parseRequest(auditQuerySchema, query);
    return await listAudit(this.#log, filter, caller, page);
  }
}
