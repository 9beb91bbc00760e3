import {
  Controller,
  Get,
  Header,
  HttpCode,
  HttpStatus,
  Inject,
  type OnModuleDestroy,
  Param,
  Post,
  Query,
  Req,
  Res,
  StreamableFile,
} from '@nestjs/common';
import {
  ApiBearerAuth,
  ApiHeader,
  ApiOperation,
  ApiParam,
  ApiQuery,
  ApiResponse,
  ApiTags,
} from '@nestjs/swagger';
import type { ApiKeyIdentity } from '../../../http/api-key-identity.ts';
import { Caller, RequireScope } from '../../../http/caller.ts';
import { jsonOf } from '../../../http/json-content.ts';
import { headerOf } from '../../../http/request-facts.ts';
import { parseRequest } from '../../../http/request-faults.ts';
import { givePlaceUp } from '../../../http/request-places.ts';
import type { ResponseWriter } from '../../../http/response-writer.ts';
import { eventsQuerySchema, streamFormats } from './events-query.ts';
import { OpenStreams } from './open-streams.ts';
import { RequestStreams } from './request-streams.ts';
import type { StreamTokenDocument } from './stream-token-document.ts';

const idParameter = {
  name: 'id',
  description: 'The id of the request.',
  schema: { type: 'string', format: 'uuid' },
} as const;

/** The events of requests, as they come. A key of a team sees that team's only. */
@ApiTags('requests')
@ApiBearerAuth()
@Controller('v1/requests')
export class RequestEventsController implements OnModuleDestroy {
  readonly #streams: RequestStreams;
  readonly #open: OpenStreams;

  constructor(@Inject(RequestStreams) streams: RequestStreams, @Inject(OpenStreams) open: OpenStreams) {
    this.#streams = streams;
    this.#open = open;
  }

  /** Before the server closes: it would wait for them. */
  onModuleDestroy(): void {
    this.#open.stop();
  }

  @Get(':id/events')
  @RequireScope('requests:read')
  @Header('cache-control', 'no-cache, no-store, no-transform')
  @Header('x-accel-buffering', 'no')
  @ApiOperation({
    operationId: 'streamRequestEvents',
    summary: 'What happens to a request, as it happens',
    description:
      'Server-Sent Events from the first one on, also for a client that comes late: stages, progress, text and reasoning that stages publish, calls and what they cost, ' +
      'and how the request ended, with its result. Ids only grow; the stream goes on after the one in Last-Event-ID, or in `after`, from any process. Lines of comment keep the ' +
      "connection. The stream ends after the final event; whoever connects again with that one's id is answered 204. `format=ui-message-stream` is the UI message stream of the AI SDK, " +
      'always from its beginning. Clients that cannot send headers use a stream token.',
  })
  @ApiParam(idParameter)
  @ApiQuery({
    name: 'after',
    required: false,
    schema: { type: 'integer', minimum: 0 },
    description: 'The id of the last event that the client has. The header Last-Event-ID counts for more.',
  })
  @ApiQuery({
    name: 'format',
    required: false,
    schema: { type: 'string', enum: [...streamFormats], default: 'native' },
    description: 'How the events are written.',
  })
  @ApiQuery({
    name: 'whenEnded',
    required: false,
    schema: { type: 'string', enum: ['replay', 'none'], default: 'replay' },
    description: 'Of a request that has ended: everything once more, or 204.',
  })
  @ApiQuery({
    name: 'token',
    required: false,
    schema: { type: 'string', maxLength: 4096 },
    description: 'A stream token, instead of the header Authorization.',
  })
  @ApiHeader({
    name: 'Last-Event-ID',
    required: false,
    schema: { type: 'string', maxLength: 32 },
    description: 'The id of the last event that the client has; browsers send it by themselves.',
  })
  @ApiResponse({
    status: 200,
    description: 'The events.',
    content: { 'text/event-stream': { schema: { type: 'string' } } },
  })
  @ApiResponse({ status: 204, description: 'Nothing more comes.' })
  async events(
    @Param('id') id: string,
    @Query() query: unknown,
    @Caller() caller: ApiKeyIdentity,
    @Req() request: object,
    @Res({ passthrough: true }) response: ResponseWriter,
  ): Promise<StreamableFile | undefined> {
    const asked = parseRequest(eventsQuerySchema, query);
    const stream = await this.#streams.events(id, caller, {
      query: asked,
      lastEventId: headerOf(request, 'last-event-id'),
    });
    if (stream === undefined) {
      response.status(HttpStatus.NO_CONTENT);
      return undefined;
    }
    // It may go on for an hour, and is bounded by itself.
    givePlaceUp(request);
    if (asked.format === 'ui-message-stream') response.header('x-vercel-ai-ui-message-stream', 'v1');
    return new StreamableFile(stream, { type: 'text/event-stream; charset=utf-8' });
  }

  @Post(':id/stream-token')
  @RequireScope('requests:read')
  @HttpCode(HttpStatus.OK)
  @Header('cache-control', 'no-store')
  @ApiOperation({
    operationId: 'createStreamToken',
    summary: 'A token that reads the events of one request',
    description:
      'For `EventSource`, which sends no headers: a page gets the token from its own server and opens the stream with `?token=`. It is good for some minutes, for reading the events of ' +
      'this request and for nothing else.',
  })
  @ApiParam(idParameter)
  @ApiResponse({ status: 200, description: 'The token.', content: jsonOf('StreamToken') })
  async token(@Param('id') id: string, @Caller() caller: ApiKeyIdentity): Promise<StreamTokenDocument> {
    return await this.#streams.token(id, caller);
  }
}
