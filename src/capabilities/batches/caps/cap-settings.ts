import { z } from 'zod';

/** What is done with an item that is larger than the bound. */
export const capActions = ['truncate', 'fail', 'skip'] as const;

const isPointer = (text: string): boolean => /^(?:\/(?:[^~/]|~[01])*)+$/.test(text);

/** A rule for items that are much larger than others: applied before anything of the batch is sent. */
export const capSettingsSchema = z
  .strictObject({
    inputTokens: z
      .int()
      .min(1)
      .max(100_000_000)
      .optional()
      .describe('The bound: estimated tokens of an item. Either this or the percentile.'),
    percentile: z
      .number()
      .min(50)
      .max(99.99)
      .optional()
      .describe('The bound is the size that so many percent of the items of the batch do not exceed.'),
    action: z
      .enum(capActions)
      .describe(
        'What becomes of a larger item: a text of it is cut, it fails without a call, or it is left out.',
      ),
    member: z
      .string()
      .max(512)
      .refine(isPointer, 'is a JSON pointer, as in "/text"')
      .optional()
      .describe('The text in the data that is cut: a JSON pointer. With "truncate" only.'),
  })
  .refine(
    ({ inputTokens, percentile }) => (inputTokens === undefined) !== (percentile === undefined),
    'names either inputTokens or percentile',
  )
  .refine(({ action, member }) => (action === 'truncate') === (member !== undefined), {
    path: ['member'],
    message: 'is named with the action "truncate", and only then',
  });

export type CapSettings = z.output<typeof capSettingsSchema>;

/** What a rule came to. Tokens are estimated, of the items above the bound. */
export interface AppliedCaps {
  readonly boundTokens: number;
  readonly items: number;
  readonly tokensBefore: number;
  readonly tokensAfter: number;
}
