import type { Capability } from '../capability.ts';
import { erasureRequestSchema, erasureSchema, requestedErasureSchema } from './erasure-documents.ts';
import { ErasureOffice } from './erasure-office.ts';
import { erasureOfficeOver } from './erasure-office-over.ts';
import { ErasuresController } from './erasures.controller.ts';

/** Erasing what belongs to a person, a customer or a team. */
export const erasure: Capability<unknown> = {
  name: 'erasure',
  http: {
    controllers: [ErasuresController],
    services: [ErasureOffice],
    answers: { Erasure: erasureSchema, RequestedErasure: requestedErasureSchema },
    requests: { ErasureRequest: erasureRequestSchema },
  },
  open: (context) => {
    const office = erasureOfficeOver(context, context);
    return {
      services: [[ErasureOffice, office]],
      jobs: [{ name: 'erasures', intervalMs: 2000, runsIn: 'relay', turn: () => office.goOn() }],
    };
  },
};
