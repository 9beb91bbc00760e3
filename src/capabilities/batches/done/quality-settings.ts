import { z } from 'zod';
import { isPrintableName, notPrintable } from '../../../kernel/printable-name.ts';
import { maxValidatorName } from './batch-validators.ts';

/** Items of a batch that are checked, at most, whatever its groups. */
export const maxChecks = 10_000;

const percent = z.number().min(0).max(100);

/** What a batch asks of its output before it succeeds. */
export const qualitySchema = z.strictObject({
  validator: z
    .string()
    .min(1)
    .max(maxValidatorName)
    .refine(isPrintableName, notPrintable)
    .describe('The name of a validator of the application.'),
  sample: z
    .strictObject({
      size: z.int().min(1).max(maxChecks).default(100).describe('Items that are checked, at most.'),
      share: percent.default(100).describe('Of the items that succeeded, at most; rounded up.'),
      stratify: z
        .string()
        .regex(/^(?:customer|team|label:[a-z][a-z0-9_.-]{0,62})$/, 'is customer, team, or label: and a name')
        .optional()
        .describe(
          'customer, team, or label: and a name: each group of items has its part of the sample, rounded up, so one item at least.',
        ),
    })
    .prefault({}),
  minimum: percent
    .default(100)
    .describe('The batch succeeds when at least this share of the checked items passes.'),
});

export type QualitySettings = z.output<typeof qualitySchema>;

/** By what a sample is stratified: the column, and the label's name. */
export function strataOf({ sample: { stratify } }: QualitySettings): {
  readonly by: 'customer' | 'team' | 'label' | 'none';
  readonly label: string | undefined;
} {
  if (stratify === undefined) return { by: 'none', label: undefined };
  if (stratify === 'customer' || stratify === 'team') return { by: stratify, label: undefined };
  return { by: 'label', label: stratify.slice('label:'.length) };
}
