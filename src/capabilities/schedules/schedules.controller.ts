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
  Put,
  Query,
  Res,
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
import { type ApiKeyIdentity, hasScope } from '../../http/api-key-identity.ts';
import { Caller, RequireScope } from '../../http/caller.ts';
import { jsonOf } from '../../http/json-content.ts';
import { operatorOf } from '../../http/operator.ts';
import { parseRequest } from '../../http/request-faults.ts';
import type { ResponseWriter } from '../../http/response-writer.ts';
import type { AskedRun, ScheduleDetail, ScheduleDocument, ScheduleList } from './schedule-documents.ts';
import {
  listSchedulesSchema,
  maxListed,
  maxShown,
  scheduleOrderSchema,
  scheduleRequestSchema,
  showScheduleSchema,
} from './schedule-requests.ts';
import { ScheduleService } from './schedule-service.ts';

const reference = {
  name: 'id',
  description: 'The id of the schedule, or its name.',
  schema: { type: 'string' },
} as const;
const order = { required: true, schema: { $ref: '#/components/schemas/ScheduleOrder' } } as const;
const shownCount = (name: string, description: string, usual: number) =>
  ({
    name,
    required: false,
    description,
    schema: { type: 'integer', minimum: 0, maximum: maxShown, default: usual },
  }) as const;

/** Messages that are sent again and again. A key bound to a team has that team's only. */
@ApiTags('schedules')
@ApiBearerAuth()
@Controller('v1/schedules')
export class SchedulesController {
  readonly #service: ScheduleService;

  constructor(@Inject(ScheduleService) service: ScheduleService) {
    this.#service = service;
  }

  @Get()
  @RequireScope('schedules:read')
  @Header('cache-control', 'no-store')
  @ApiOperation({ operationId: 'listSchedules', summary: 'Schedules, by team and name' })
  @ApiQuery({
    name: 'limit',
    required: false,
    description: 'The most entries in the answer.',
    schema: { type: 'integer', minimum: 1, maximum: maxListed, default: 50 },
  })
  @ApiQuery({
    name: 'after',
    required: false,
    description: 'The "next" of the answer before.',
    schema: { type: 'string' },
  })
  @ApiResponse({ status: 200, description: 'A page.', content: jsonOf('ScheduleList') })
  async list(@Query() query: unknown, @Caller() caller: ApiKeyIdentity): Promise<ScheduleList> {
    return await this.#service.list(caller, parseRequest(listSchedulesSchema, query));
  }

  @Post()
  @RequireScope('schedules:write')
  @HttpCode(HttpStatus.CREATED)
  @ApiOperation({
    operationId: 'createSchedule',
    summary: 'Make a schedule: a message that is admitted again and again',
    description:
      'By a cron expression in a time zone, or in even steps. Every time of it is one message, whose id follows from the schedule ' +
      'and the time: it is admitted once, however many processes run, and never before its time. The data is checked as a ' +
      "message's is. The same schedule sent again is answered with 200; another one of the name with 409. Audited.",
  })
  @ApiBody({ required: true, schema: { $ref: '#/components/schemas/ScheduleRequest' } })
  @ApiResponse({ status: 201, description: 'The schedule.', content: jsonOf('Schedule') })
  @ApiResponse({ status: 200, description: 'The same schedule was there.', content: jsonOf('Schedule') })
  async create(
    @Body() body: unknown,
    @Caller() caller: ApiKeyIdentity,
    @Res({ passthrough: true }) response: ResponseWriter,
  ): Promise<ScheduleDocument> {
    const request = parseRequest(scheduleRequestSchema, body);
    const { schedule, isNew } = await this.#service.create(request, operatorOf(caller));
    if (!isNew) response.status(HttpStatus.OK);
    return schedule;
  }

  @Get(':id')
  @RequireScope('schedules:read')
  @Header('cache-control', 'no-store')
  @ApiOperation({
    operationId: 'getSchedule',
    summary: 'One schedule with its next times, and its last runs with what they came to',
    description: 'With the data of its message for keys that also have the scope "messages:data".',
  })
  @ApiParam(reference)
  @ApiQuery(shownCount('nextTimes', 'How many of its next times are shown.', 10))
  @ApiQuery(shownCount('runs', 'How many of its last runs are shown.', 20))
  @ApiResponse({ status: 200, description: 'The schedule.', content: jsonOf('ScheduleDetail') })
  async show(
    @Param('id') id: string,
    @Query() query: unknown,
    @Caller() caller: ApiKeyIdentity,
  ): Promise<ScheduleDetail> {
    const shown = parseRequest(showScheduleSchema, query);
    return await this.#service.show(id, caller, { ...shown, showsData: hasScope(caller, 'messages:data') });
  }

  @Put(':id')
  @RequireScope('schedules:write')
  @ApiOperation({
    operationId: 'replaceSchedule',
    summary: 'Replace all that a schedule says',
    description:
      'What is not given is as by default. Where its times stay the same, those that are due or to come stay; otherwise they are those ' +
      'from now on. Its team stays. 409 for a schedule of the configuration. Audited.',
  })
  @ApiParam(reference)
  @ApiBody({ required: true, schema: { $ref: '#/components/schemas/ScheduleRequest' } })
  @ApiResponse({ status: 200, description: 'The schedule as it is now.', content: jsonOf('Schedule') })
  async replace(
    @Param('id') id: string,
    @Body() body: unknown,
    @Caller() caller: ApiKeyIdentity,
  ): Promise<ScheduleDocument> {
    return await this.#service.replace(id, parseRequest(scheduleRequestSchema, body), operatorOf(caller));
  }

  @Delete(':id')
  @RequireScope('schedules:write')
  @HttpCode(HttpStatus.NO_CONTENT)
  @ApiOperation({
    operationId: 'deleteSchedule',
    summary: 'Delete a schedule with its runs; messages that were admitted go on',
    description: '409 for a schedule of the configuration. Audited.',
  })
  @ApiParam(reference)
  @ApiQuery({
    name: 'reason',
    required: true,
    schema: { type: 'string', maxLength: 500 },
    description: 'Why.',
  })
  @ApiResponse({ status: 204, description: 'It is gone.' })
  async delete(
    @Param('id') id: string,
    @Query() query: unknown,
    @Caller() caller: ApiKeyIdentity,
  ): Promise<void> {
    const { reason } = parseRequest(scheduleOrderSchema, query);
    await this.#service.delete(id, reason, operatorOf(caller));
  }

  @Post(':id/pause')
  @RequireScope('schedules:write')
  @HttpCode(HttpStatus.OK)
  @ApiOperation({
    operationId: 'pauseSchedule',
    summary: 'Let no time of a schedule run until it is resumed',
    description: 'Runs that are due already, and messages, go on. 409 when it is paused already. Audited.',
  })
  @ApiParam(reference)
  @ApiBody(order)
  @ApiResponse({ status: 200, description: 'The schedule as it is now.', content: jsonOf('Schedule') })
  async pause(
    @Param('id') id: string,
    @Body() body: unknown,
    @Caller() caller: ApiKeyIdentity,
  ): Promise<ScheduleDocument> {
    return await this.#service.pause(id, parseRequest(scheduleOrderSchema, body).reason, operatorOf(caller));
  }

  @Post(':id/resume')
  @RequireScope('schedules:write')
  @HttpCode(HttpStatus.OK)
  @ApiOperation({
    operationId: 'resumeSchedule',
    summary: 'Let a paused schedule go on, from its first time from now on',
    description:
      'Times that were in the pause are not missed ones: none is made up for. 409 when it is not paused. Audited.',
  })
  @ApiParam(reference)
  @ApiBody(order)
  @ApiResponse({ status: 200, description: 'The schedule as it is now.', content: jsonOf('Schedule') })
  async resume(
    @Param('id') id: string,
    @Body() body: unknown,
    @Caller() caller: ApiKeyIdentity,
  ): Promise<ScheduleDocument> {
    return await this.#service.resume(id, parseRequest(scheduleOrderSchema, body).reason, operatorOf(caller));
  }

  @Post(':id/run')
  @RequireScope('schedules:write')
  @HttpCode(HttpStatus.ACCEPTED)
  @ApiOperation({
    operationId: 'runSchedule',
    summary: 'Run a schedule once now, beside its times',
    description: 'Also while it is paused, or the run before is under way. Audited.',
  })
  @ApiParam(reference)
  @ApiBody(order)
  @ApiResponse({ status: 202, description: 'The run, which is due.', content: jsonOf('AskedRun') })
  async run(
    @Param('id') id: string,
    @Body() body: unknown,
    @Caller() caller: ApiKeyIdentity,
  ): Promise<AskedRun> {
    return await this.#service.run(id, parseRequest(scheduleOrderSchema, body).reason, operatorOf(caller));
  }
}
