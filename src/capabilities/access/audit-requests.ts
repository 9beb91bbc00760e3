import { z } from 'zod';
import type { AuditPlace } from './audit-log.ts';

/* What may be asked about the audit, by query string or on a command line. A filter that is not known is a fault. */

/** The most entries in one answer. */
export const maxAuditEntries = 200;
const defaultEntries = 50;

const text = z
  .string()
  .min(1, 'has a value')
  .max(1024, 'has at most 1024 characters')
  .refine((value) => !value.includes('\u0000'), 'holds no U+0000')
  .refine((value) => value.isWellFormed(), 'is well-formed Unicode, without half of a surrogate pair');
/** Years that every time stamp of the ledger can hold. */
const moment = z
  .union([z.iso.datetime({ offset: true }), z.iso.date()], {
    error:
      'is a date ("2026-03-01") or a time with its zone ("2026-03-01T12:00:00Z", a "+" in a URL written as %2B)',
  })
  .transform((value) => new Date(value))
  .refine(
    (value) => value.getUTCFullYear() >= 1 && value.getUTCFullYear() <= 9999,
    'is in a year from 1 to 9999',
  );
const countText = `is a whole number from 1 to ${maxAuditEntries}`;
const limit = z
  .string()
  .regex(/^[1-9]\d{0,2}$/, countText)
  .transform(Number)
  .refine((value) => value <= maxAuditEntries, countText);
const cursor = z.string().transform((value, context): AuditPlace => {
  const [, atUs, id] = /^(\d{1,17})~([0-9a-f-]{36})$/.exec(value) ?? [];
  if (atUs !== undefined && id !== undefined && z.uuid().safeParse(id).success) return { atUs, id };
  context.addIssue({ code: 'custom', message: 'is the "next" of an earlier answer' });
  return z.NEVER;
});

/** GET /v1/audit: the query string. */
export const auditQuerySchema = z
  .strictObject({
    actor: text.optional(),
    action: z
      .string()
      .max(64, 'has at most 64 characters')
      .regex(/^[a-z_]+(?:\.[a-z_]+)?$/, 'is an action ("keys.revoke"), or what it is of ("keys")')
      .optional(),
    target: text.optional(),
    team: text.optional(),
    from: moment.optional(),
    to: moment.optional(),
    limit: limit.optional(),
    after: cursor.optional(),
  })
  .transform(({ limit: most = defaultEntries, after, ...filter }) => ({ filter, limit: most, after }));
