import { z } from 'zod';
import { AppError } from '../kernel/app-error.ts';
import { type Fault, fieldOf, toldFaults } from '../kernel/fault.ts';
import { isPrintableName, notPrintable } from '../kernel/printable-name.ts';

/*
 * Origin: who caused the work. Set once at admission, inherited by every message and call that
 * follows, never changed (promise P1).
 */

const maxNameLength = 128;
const maxLabels = 16;
const labelKeys = 'keys are lower case: [a-z][a-z0-9_.-]*';
/** The form of a label's key. */
export const labelKeyPattern = /^[a-z][a-z0-9_.-]{0,62}$/;

/** A name in an origin. Printable text: it becomes SQL, log and header values. */
export const originName = z
  .string()
  .min(1)
  .max(maxNameLength)
  .refine(isPrintableName, notPrintable)
  .refine((text) => text.trim() === text, 'must not begin or end with white space');

const originSchema = z.strictObject({
  /** The team that pays. */
  team: originName,
  /** The customer on whose behalf the work is done. */
  customer: originName,
  /** The product feature that asked for it. */
  feature: originName,
  /** One run of many items, when the work belongs to one. */
  batch: originName.optional(),
  /** Free labels: at most 16, keys and values 1 to 128 characters. */
  labels: z
    .unknown()
    // A record's schema leaves this key out of what it reads: without this the label would be lost in silence.
    .refine((labels) => !hasPrototypeKey(labels), { error: labelKeys, path: ['__proto__'], abort: true })
    .pipe(
      z
        .record(z.string().regex(labelKeyPattern, labelKeys), originName)
        .refine((labels) => Object.keys(labels).length <= maxLabels, `at most ${maxLabels} labels`),
    )
    .optional(),
});

/** Who caused the work: team, customer and feature, an optional batch, and bounded free labels. */
export interface Origin {
  readonly team: string;
  readonly customer: string;
  readonly feature: string;
  readonly batch?: string;
  readonly labels?: Readonly<Record<string, string>>;
}

function hasPrototypeKey(labels: unknown): boolean {
  return typeof labels === 'object' && labels !== null && Object.hasOwn(labels, '__proto__');
}

/** The origin in an unknown value. Throws MILLRACE_ORIGIN_INVALID with every faulty field. */
export function parseOrigin(value: unknown): Origin {
  const parsed = originSchema.safeParse(value);
  if (!parsed.success) {
    const faults: Fault[] = parsed.error.issues.map((issue) => ({
      field: fieldOf(['origin', ...issue.path]),
      problem: issue.message,
    }));
    throw new AppError('MILLRACE_ORIGIN_INVALID', `The origin is not valid: ${toldFaults(faults)}`, {
      faults,
    });
  }
  const { team, customer, feature, batch, labels } = parsed.data;
  return {
    team,
    customer,
    feature,
    ...(batch === undefined ? {} : { batch }),
    ...(labels === undefined || Object.keys(labels).length === 0 ? {} : { labels }),
  };
}
