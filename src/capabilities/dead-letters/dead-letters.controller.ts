import {
  Body,
  Controller,
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
import { type ApiKeyIdentity, hasScope, operatorOf } from '../../http/api-key-identity.ts';
import { Caller, RequireScope } from '../../http/caller.ts';
import { parseRequest } from '../../http/request-faults.ts';
import { AppError } from '../../kernel/app-error.ts';
import type {
  DeadLetterDocument,
  DeadLetterList,
  DiscardResult,
  ReplayResult,
} from './dead-letter-documents.ts';
import { DeadLetterService } from './dead-letter-service.ts';
import {
  deadLetterFilterFields,
  discardedChoices,
  discardRequestSchema,
  listDeadLettersSchema,
  maxListed,
  replayRequestSchema,
} from './dead-letter-requests.ts';
import { jsonOf } from '../../http/json-content.ts';

const moment = { required: false, schema: { type: 'string' } } as const;

/** Dead letters for operators. Reading needs `messages:read`, their data `messages:data` too, acting `operations:write`. */
@ApiTags('dead letters')
@ApiBearerAuth()
@Controller('v1/dead-letters')
export class DeadLettersController {
  readonly #service: DeadLetterService;

  constructor(@Inject(DeadLetterService) service: DeadLetterService) {
    this.#service = service;
  }

  @Get()
  @RequireScope('messages:read')
  @Header('cache-control', 'no-store')
  @ApiOperation({
    operationId: 'listDeadLetters',
    summary: 'Messages that were given up on, newest first',
    description: 'A key bound to a team sees that team only.',
  })
  @ApiFilters()
  @ApiQuery({
    name: 'from',
    ...moment,
    description: 'When it was dead-lettered: first moment, a date or a time with its zone.',
  })
  @ApiQuery({ name: 'to', ...moment, description: 'When it was dead-lettered: last moment, excluded.' })
  @ApiQuery({
    name: 'discarded',
    required: false,
    description: 'Discarded ones: left out, alone, or too.',
    schema: { type: 'string', enum: [...discardedChoices], default: 'no' },
  })
  @ApiQuery({
    name: 'limit',
    required: false,
    description: 'The most dead letters in the answer.',
    schema: { type: 'integer', minimum: 1, maximum: maxListed, default: 50 },
  })
  @ApiQuery({ name: 'after', ...moment, description: 'The "next" of the answer before.' })
  @ApiResponse({ status: 200, description: 'A page.', content: jsonOf('DeadLetterList') })
  async list(@Query() query: unknown, @Caller() caller: ApiKeyIdentity): Promise<DeadLetterList> {
    const { filter, ...page } = parseRequest(listDeadLettersSchema, query);
    return await this.#service.list(filter, caller, page);
  }

  @Get(':id')
  @RequireScope('messages:read')
  @Header('cache-control', 'no-store')
  @ApiOperation({
    operationId: 'getDeadLetter',
    summary: 'Everything about one dead letter',
    description:
      'The event with its data, every failed attempt, the calls that were made and what they cost, and what operators ' +
      'did to it. One that lives again after a replay is shown too. The data needs the scope `messages:data` beside ' +
      '`messages:read`; without it, dataProblem says so.',
  })
  @ApiParam({ name: 'id', description: 'The id of the message.', schema: { type: 'string', format: 'uuid' } })
  @ApiResponse({ status: 200, description: 'The dead letter.', content: jsonOf('DeadLetter') })
  async get(@Param('id') id: string, @Caller() caller: ApiKeyIdentity): Promise<DeadLetterDocument> {
    const letter = await this.#service.show(id, {
      ...(caller.team === undefined ? {} : { team: caller.team }),
      maySeeData: hasScope(caller, 'messages:data'),
    });
    if (letter === undefined)
      throw new AppError(
        'MILLRACE_NOT_FOUND',
        'There is no such dead letter, or it is not for this API key.',
      );
    return letter;
  }

  @Post('replay')
  @RequireScope('operations:write')
  @HttpCode(HttpStatus.OK)
  @ApiOperation({
    operationId: 'replayDeadLetters',
    summary: 'Replay dead letters, or say what that would cost',
    description:
      'With dryRun nothing changes and the answer is a plan. Otherwise the selected messages are due again, oldest ' +
      'death first, each under its own id: recorded answers to the same questions are reused and not paid again. ' +
      'The replay is audited. A key bound to a team touches that team only.',
  })
  @ApiBody({ required: true, schema: { $ref: '#/components/schemas/DeadLetterReplayRequest' } })
  @ApiResponse({
    status: 200,
    description: 'What was replayed, or the plan.',
    content: jsonOf('DeadLetterReplayResult'),
  })
  async replay(@Body() body: unknown, @Caller() caller: ApiKeyIdentity): Promise<ReplayResult> {
    const { dryRun, ...request } = parseRequest(replayRequestSchema, body);
    return dryRun
      ? await this.#service.plan(request, caller)
      : await this.#service.replay(request, operatorOf(caller));
  }

  @Post('discard')
  @RequireScope('operations:write')
  @HttpCode(HttpStatus.OK)
  @ApiOperation({
    operationId: 'discardDeadLetters',
    summary: 'Discard dead letters',
    description:
      'They stay dead-lettered and can be found with discarded=only until the retention time is over, but are counted ' +
      'no more. The discard is audited. A key bound to a team touches that team only.',
  })
  @ApiBody({ required: true, schema: { $ref: '#/components/schemas/DeadLetterDiscardRequest' } })
  @ApiResponse({
    status: 200,
    description: 'What was discarded.',
    content: jsonOf('DeadLetterDiscardResult'),
  })
  async discard(@Body() body: unknown, @Caller() caller: ApiKeyIdentity): Promise<DiscardResult> {
    return await this.#service.discard(parseRequest(discardRequestSchema, body), operatorOf(caller));
  }
}

function ApiFilters(): MethodDecorator {
  return (target, key, descriptor) => {
    for (const name of deadLetterFilterFields) {
      ApiQuery({
        name,
        required: false,
        style: 'form',
        explode: true,
        description: `Only dead letters of this ${name.replace('_', ' ')}; repeat it for more than one.`,
        schema: { type: 'array', items: { type: 'string' } },
      })(target, key, descriptor);
    }
  };
}
