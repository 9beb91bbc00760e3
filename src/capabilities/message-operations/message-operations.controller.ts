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
import type { ApiKeyIdentity } from '../../http/api-key-identity.ts';
import { Caller, RequireScope } from '../../http/caller.ts';
import { operatorOf } from '../../http/operator.ts';
import { MessageCosts, type MessageCost } from './message-costs.ts';
import { parseRequest } from '../../http/request-faults.ts';
import { AppError } from '../../kernel/app-error.ts';
import type { MessageData, MessageList, MessageTree, Steered } from './message-documents.ts';
import { MessageService } from './message-service.ts';
import {
  listMessagesSchema,
  maxListedMessages,
  messageFilterFields,
  steerRequestSchema,
} from './message-requests.ts';
import { jsonOf } from '../../http/json-content.ts';

const moment = { required: false, schema: { type: 'string' } } as const;
const idParameter = {
  name: 'id',
  description: 'The id of a message.',
  schema: { type: 'string', format: 'uuid' },
} as const;

/**
 * Messages for operators. Reading needs `messages:read`, their data `messages:data`, acting `operations:write`; a key of
 * a team sees and touches that team's only.
 */
@ApiTags('messages')
@ApiBearerAuth()
@Controller('v1/messages')
export class MessageOperationsController {
  readonly #service: MessageService;
  readonly #accounts: MessageCosts;

  constructor(@Inject(MessageService) service: MessageService, @Inject(MessageCosts) accounts: MessageCosts) {
    this.#service = service;
    this.#accounts = accounts;
  }

  @Get()
  @RequireScope('messages:read')
  @Header('cache-control', 'no-store')
  @ApiOperation({
    operationId: 'listMessages',
    summary: 'Messages, newest first',
    description:
      'Without their data. A page looks at a bounded number of messages: it may hold fewer than asked for, even none, and ' +
      'still have a next. A key bound to a team sees that team only.',
  })
  @ApiFilters()
  @ApiQuery({
    name: 'from',
    ...moment,
    description: 'When it was admitted or emitted: first moment, a date or a time with its zone.',
  })
  @ApiQuery({ name: 'to', ...moment, description: 'When it was admitted or emitted: last moment, excluded.' })
  @ApiQuery({
    name: 'limit',
    required: false,
    description: 'The most messages in the answer.',
    schema: { type: 'integer', minimum: 1, maximum: maxListedMessages, default: 50 },
  })
  @ApiQuery({ name: 'after', ...moment, description: 'The "next" of the answer before.' })
  @ApiResponse({ status: 200, description: 'A page.', content: jsonOf('MessageList') })
  async list(@Query() query: unknown, @Caller() caller: ApiKeyIdentity): Promise<MessageList> {
    const { filter, ...page } = parseRequest(listMessagesSchema, query);
    return await this.#service.list(filter, caller, page);
  }

  @Get(':id')
  @RequireScope('messages:read')
  @Header('cache-control', 'no-store')
  @ApiOperation({
    operationId: 'getMessage',
    summary: 'The state of a message, its calls, and what it cost so far',
  })
  @ApiParam({
    name: 'id',
    description: 'The id of the message, as its receipt says.',
    schema: { type: 'string', format: 'uuid' },
  })
  @ApiResponse({ status: 200, description: 'The message.', content: jsonOf('MessageCost') })
  async get(@Param('id') id: string, @Caller() caller: ApiKeyIdentity): Promise<MessageCost> {
    const account = await this.#accounts.find(id, caller);
    if (account === undefined)
      throw new AppError('MILLRACE_NOT_FOUND', 'There is no such message, or it is not for this API key.');
    return account;
  }

  @Get(':id/tree')
  @RequireScope('messages:read')
  @Header('cache-control', 'no-store')
  @ApiOperation({
    operationId: 'getMessageTree',
    summary: 'The whole tree that a message is in, with states, timings and cost',
    description: 'The root and everything that followed from it, oldest first; at most 2,000 messages.',
  })
  @ApiParam(idParameter)
  @ApiResponse({ status: 200, description: 'The tree.', content: jsonOf('MessageTree') })
  async tree(@Param('id') id: string, @Caller() caller: ApiKeyIdentity): Promise<MessageTree> {
    return found(await this.#service.tree(id, caller));
  }

  @Get(':id/data')
  @RequireScope('messages:data')
  @Header('cache-control', 'no-store')
  @ApiOperation({
    operationId: 'getMessageData',
    summary: 'The data of a message, and what its handler returned',
    description: 'Needs the scope `messages:data`: this is the content itself.',
  })
  @ApiParam(idParameter)
  @ApiResponse({ status: 200, description: 'The data.', content: jsonOf('MessageData') })
  async data(@Param('id') id: string, @Caller() caller: ApiKeyIdentity): Promise<MessageData> {
    return found(await this.#service.data(id, caller));
  }

  @Post('cancel')
  @RequireScope('operations:write')
  @HttpCode(HttpStatus.OK)
  @ApiOperation({
    operationId: 'cancelMessages',
    summary: 'End messages that have not ended, or say how many these would be',
    description:
      'They end as cancelled, and can not be replayed. What is being worked on is aborted within a second; calls under way are ' +
      'settled as ever, and none is begun after. With dryRun nothing changes. The operation is audited.',
  })
  @ApiBody({ required: true, schema: { $ref: '#/components/schemas/SteerRequest' } })
  @ApiResponse({ status: 200, description: 'What was cancelled.', content: jsonOf('SteeredMessages') })
  async cancel(@Body() body: unknown, @Caller() caller: ApiKeyIdentity): Promise<Steered> {
    return await this.#service.cancel(parseRequest(steerRequestSchema, body), operatorOf(caller));
  }

  @Post('retry')
  @RequireScope('operations:write')
  @HttpCode(HttpStatus.OK)
  @ApiOperation({
    operationId: 'retryMessages',
    summary: 'Make messages that wait for a time due now, or say how many these would be',
    description:
      'Those that wait after a failed attempt, for a provider or for a limit. What waits for a pause, a limit of spend or its turn goes on ' +
      'waiting, and dead letters are replayed instead. With dryRun nothing changes. The operation is audited.',
  })
  @ApiBody({ required: true, schema: { $ref: '#/components/schemas/SteerRequest' } })
  @ApiResponse({ status: 200, description: 'What is due now.', content: jsonOf('SteeredMessages') })
  async retry(@Body() body: unknown, @Caller() caller: ApiKeyIdentity): Promise<Steered> {
    return await this.#service.retryNow(parseRequest(steerRequestSchema, body), operatorOf(caller));
  }
}

function found<Document>(document: Document | undefined): Document {
  if (document !== undefined) return document;
  throw new AppError('MILLRACE_NOT_FOUND', 'There is no such message, or it is not for this API key.');
}

function ApiFilters(): MethodDecorator {
  return (target, key, descriptor) => {
    for (const name of messageFilterFields) {
      ApiQuery({
        name,
        required: false,
        style: 'form',
        explode: true,
        description: `Only messages of this ${name.replace('_', ' ')}; repeat it for more than one.`,
        schema: { type: 'array', items: { type: 'string' } },
      })(target, key, descriptor);
    }
  };
}
