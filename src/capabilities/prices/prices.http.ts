import type { HttpPart } from '../http-part.ts';
import { CallPriceController } from './call-price.controller.ts';
import { callPriceSchema } from './call-price/call-price-document.ts';
import { CallPrices } from './call-price/call-prices.ts';
import { overrideListSchema, priceOverrideSchema, setOverrideSchema } from './overrides/override-document.ts';
import { OverrideService } from './overrides/override-service.ts';
import { OverridesController } from './overrides/overrides.controller.ts';
import { PricesController } from './prices.controller.ts';
import { repriceReportSchema, repriceRequestSchema } from './reprice/reprice-document.ts';
import { RepriceService } from './reprice/reprice-service.ts';

/** The part of the HTTP API. */
export const httpPart: HttpPart = {
  controllers: [PricesController, OverridesController, CallPriceController],
  services: [RepriceService, CallPrices, OverrideService],
  answers: {
    RepriceReport: repriceReportSchema,
    CallPrice: callPriceSchema,
    PriceOverride: priceOverrideSchema,
    PriceOverrideList: overrideListSchema,
  },
  requests: { RepriceRequest: repriceRequestSchema, PriceOverrideRequest: setOverrideSchema },
};
