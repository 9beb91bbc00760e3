import type { HttpPart } from '../http-part.ts';
import {
  askedRunSchema,
  scheduleDetailSchema,
  scheduleListSchema,
  scheduleSchema,
} from './schedule-documents.ts';
import { scheduleOrderSchema, scheduleRequestSchema } from './schedule-requests.ts';
import { ScheduleService } from './schedule-service.ts';
import { SchedulesController } from './schedules.controller.ts';

/** The part of the HTTP API. */
export const httpPart: HttpPart = {
  controllers: [SchedulesController],
  services: [ScheduleService],
  answers: {
    Schedule: scheduleSchema,
    ScheduleDetail: scheduleDetailSchema,
    ScheduleList: scheduleListSchema,
    AskedRun: askedRunSchema,
  },
  requests: { ScheduleRequest: scheduleRequestSchema, ScheduleOrder: scheduleOrderSchema },
};
