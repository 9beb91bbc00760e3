import { z } from 'zod';
import type { StatusPart } from '../status-part.ts';
import { describeErasure, type ErasureDocument, erasureSchema } from './erasure-documents.ts';
import { ErasureLedger } from './erasure-ledger.ts';

/** What the status has of erasures. */
export interface TroubledErasures {
  /** Erasures at work, and those that were given up in the last seven days. */
  readonly erasures: readonly ErasureDocument[];
}

/** Erasures at work, and those that were given up lately. */
export const erasureStatus: StatusPart<TroubledErasures, TroubledErasures> = {
  schema: {
    erasures: z
      .array(erasureSchema)
      .describe('Erasures at work, and those that were given up in the last seven days.'),
  },
  read: async (sources) => {
    const listed = await new ErasureLedger(sources).listTroubled();
    const erasures = listed.map((erasure) => describeErasure(erasure));
    return {
      members: { erasures },
      document: { erasures },
      lines: erasures.map(
        ({ id, state, failure }) =>
          `Erasure ${id}: ${state}${failure === undefined ? '' : ` (${failure.code}, ${failure.tries} tries). ${failure.todo}`}`,
      ),
    };
  },
};
