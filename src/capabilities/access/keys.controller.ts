import {
  Body,
  Controller,
  Delete,
  Get,
  Header,
  HttpCode,
  HttpStatus,
  Inject,
  Param,
  Post,
  Query,
} from '@nestjs/common';
import {
  ApiBearerAuth,
  ApiBody,
  ApiOperation,
  ApiParam,
  ApiQuery,
  ApiResponse,
  ApiTags,
} from '@nestjs/swagger';
import type { ApiKeyIdentity } from '../../http/api-key-identity.ts';
import { ApiKeys } from './api-keys.ts';
import { Caller, RequireScope } from '../../http/caller.ts';
import {
  KeyAdministration,
  type KeyList,
  keyRequestSchema,
  type NewKeyDocument,
  type RotatedKeyDocument,
  rotationRequestSchema,
  revokeKeySchema,
  type RevokedKeyDocument,
} from './key-administration.ts';
import { parseRequest } from '../../http/request-faults.ts';
import { jsonOf } from '../../http/json-content.ts';

const idParameter = {
  name: 'id',
  description: 'The id of the key, as the list shows it.',
  schema: { type: 'string', format: 'uuid' },
} as const;

/** API keys over HTTP. Every route needs `keys:write`. */
@ApiTags('keys')
@ApiBearerAuth()
@Controller('v1/keys')
export class KeysController {
  readonly #administration: KeyAdministration;

  constructor(@Inject(ApiKeys) keys: ApiKeys) {
    this.#administration = new KeyAdministration(keys);
  }

  @Get()
  @RequireScope('keys:write')
  @Header('cache-control', 'no-store')
  @ApiOperation({
    operationId: 'listKeys',
    summary: 'Every key ever made, without the keys themselves',
    description: "A key bound to a team sees that team's.",
  })
  @ApiResponse({ status: 200, description: 'The keys, oldest first.', content: jsonOf('KeyList') })
  async list(@Caller() caller: ApiKeyIdentity): Promise<KeyList> {
    return await this.#administration.list(caller);
  }

  @Post()
  @RequireScope('keys:write')
  @HttpCode(HttpStatus.CREATED)
  @Header('cache-control', 'no-store')
  @ApiOperation({
    operationId: 'createKey',
    summary: 'Make a key with no more rights than the caller has',
    description: 'The answer is the only place where the key can ever be read. Audited.',
  })
  @ApiBody({ required: true, schema: { $ref: '#/components/schemas/KeyRequest' } })
  @ApiResponse({ status: 201, description: 'The key, this once.', content: jsonOf('NewKey') })
  async create(@Body() body: unknown, @Caller() caller: ApiKeyIdentity): Promise<NewKeyDocument> {
    const { reason, ...wanted } = parseRequest(keyRequestSchema, body);
    return await this.#administration.create(wanted, caller, reason);
  }

  @Post(':id/rotate')
  @RequireScope('keys:write')
  @HttpCode(HttpStatus.CREATED)
  @Header('cache-control', 'no-store')
  @ApiOperation({
    operationId: 'rotateKey',
    summary: 'Make a key that replaces another, which ends after an overlap',
    description:
      'The new key has the name, the scopes, the team and the rate of the old one. The answer is the only place where it can ever be ' +
      'read. Not for keys with wider rights than the caller has. Audited.',
  })
  @ApiParam(idParameter)
  @ApiBody({ required: true, schema: { $ref: '#/components/schemas/KeyRotationRequest' } })
  @ApiResponse({ status: 201, description: 'The new key, this once.', content: jsonOf('RotatedKey') })
  async rotate(
    @Param('id') id: string,
    @Body() body: unknown,
    @Caller() caller: ApiKeyIdentity,
  ): Promise<RotatedKeyDocument> {
    const { overlapSeconds, expiresAt, reason } = parseRequest(rotationRequestSchema, body);
    const rotation = { overlapMs: overlapSeconds * 1000, expiresAt };
    return await this.#administration.rotate(id.toLowerCase(), rotation, caller, reason);
  }

  @Delete(':id')
  @RequireScope('keys:write')
  @ApiOperation({
    operationId: 'revokeKey',
    summary: 'End a key',
    description: 'At once, in every process. Not for keys with wider rights than the caller has. Audited.',
  })
  @ApiParam(idParameter)
  @ApiQuery({
    name: 'reason',
    required: false,
    schema: { type: 'string', maxLength: 500 },
    description: 'Why.',
  })
  @ApiResponse({ status: 200, description: 'The key that is revoked.', content: jsonOf('RevokedKey') })
  async revoke(
    @Param('id') id: string,
    @Query() query: unknown,
    @Caller() caller: ApiKeyIdentity,
  ): Promise<RevokedKeyDocument> {
    const { reason } = parseRequest(revokeKeySchema, query);
    return await this.#administration.revoke(id.toLowerCase(), caller, reason);
  }
}
