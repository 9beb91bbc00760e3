import { holdListSchema, liftedHoldSchema, placedHoldSchema } from './hold-documents.ts';
import { HoldOffice } from './hold-office.ts';
import { placeHoldSchema } from './hold-requests.ts';
import { HoldsController } from './holds.controller.ts';
import type { HttpPart } from '../http-part.ts';

/** The part of the HTTP API. */
export const httpPart: HttpPart = {
  controllers: [HoldsController],
  services: [HoldOffice],
  answers: { HoldList: holdListSchema, PlacedHold: placedHoldSchema, LiftedHold: liftedHoldSchema },
  requests: { HoldRequest: placeHoldSchema },
};
