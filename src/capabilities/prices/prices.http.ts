import type { HttpPart } from '../http-part.ts';
import { PricesController } from './prices.controller.ts';
import { repriceReportSchema, repriceRequestSchema } from './reprice/reprice-document.ts';
import { RepriceService } from './reprice/reprice-service.ts';

/** The part of the HTTP API. */
export const httpPart: HttpPart = {
  controllers: [PricesController],
  services: [RepriceService],
  answers: { RepriceReport: repriceReportSchema },
  requests: { RepriceRequest: repriceRequestSchema },
};
