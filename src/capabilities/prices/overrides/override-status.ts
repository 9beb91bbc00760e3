import { z } from 'zod';
import { PriceOverrides } from '../../../engine/ledger/price-overrides.ts';
import type { StatusPart } from '../../status-part.ts';
import { type UnreadableDocument, unreadableDocument, unreadableSchema } from './override-document.ts';

/** What the status has of prices. */
export interface TroubledPrices {
  /** Prices that were set and are left out, in the order in which they were set. */
  readonly unreadablePrices: readonly UnreadableDocument[];
}

/** Prices that were set and are left out. */
export const priceStatus: StatusPart<TroubledPrices, TroubledPrices> = {
  schema: {
    unreadablePrices: z
      .array(unreadableSchema)
      .describe('Prices that were set and are left out: they cannot be read, or overlap another.'),
  },
  read: async ({ database }) => {
    const { unreadable } = await new PriceOverrides(database).read();
    const unreadablePrices = unreadable.map((one) => unreadableDocument(one));
    return {
      members: { unreadablePrices },
      document: { unreadablePrices },
      lines: unreadablePrices.map(
        ({ id, problem }) =>
          `Set price ${id} is left out: ${problem.replaceAll(/\s+/gu, ' ')}. millrace prices unset ${id} --entirely --reason "…" removes it.`,
      ),
    };
  },
};
