import { z } from 'zod';
import { isPrintableName, notPrintable } from '../../kernel/printable-name.ts';
import { isStorableText, storableProblem } from '../../kernel/storable-text.ts';
import type { DeliveryPlace } from './endpoint-store.ts';
import { webhookEventTypes } from './webhook-event.ts';
import { signingSchemes } from './webhook-secret.ts';
import { optionalReason } from '../../http/change-reason.ts';

/* What may be asked for about webhooks, by request or on the command line. */

export const maxListedDeliveries = 200;
const defaultListed = 50;
export const maxRedelivered = 1000;
export const deliveryStates = ['pending', 'delivered', 'failed'] as const;
export const maxOverlapSeconds = 7 * 86_400;

const name = (max: number) =>
  z
    .string()
    .min(1)
    .max(max)
    .refine(isPrintableName, notPrintable)
    .refine((text) => text.trim() === text, 'must not begin or end with white space');
/** Years that every time stamp of the ledger can hold. */
const moment = z
  .union([z.iso.datetime({ offset: true }), z.iso.date()], {
    error: 'is a date ("2026-03-01") or a time with its zone ("2026-03-01T12:00:00Z")',
  })
  .transform((value) => new Date(value))
  .refine(
    (value) => value.getUTCFullYear() >= 1 && value.getUTCFullYear() <= 9999,
    'is in a year from 1 to 9999',
  );

/** POST /v1/webhooks: the body. */
export const createWebhookSchema = z.strictObject({
  name: name(64).describe('By which batches and requests name it; one of a team.'),
  url: z
    .string()
    .min(1)
    .max(2048)
    .refine(isStorableText, storableProblem)
    .describe('Where it is: https, a public address, no user name.'),
  events: z
    .array(z.enum(webhookEventTypes))
    .max(webhookEventTypes.length)
    .default([])
    .describe('What it is told of without being named.'),
  team: name(128)
    .optional()
    .describe(
      'Of whose work it is told. A caller who is bound to a team names none, or that one; absent otherwise: of all teams.',
    ),
  signing: z
    .enum(signingSchemes)
    .default('v1')
    .describe(
      'v1: HMAC-SHA256 under a shared secret. v1a: ed25519, of which the receiver has the public key.',
    ),
  reason: optionalReason,
});
export type CreateWebhook = z.output<typeof createWebhookSchema>;

/** POST /v1/webhooks/{id}/rotate: the body. */
export const rotateWebhookSchema = z.strictObject({
  overlapSeconds: z
    .int()
    .min(0)
    .max(maxOverlapSeconds)
    .default(86_400)
    .describe('For how long the old secret signs as well.'),
  reason: optionalReason,
});

/** What changes nothing but a state: the body. */
export const changeWebhookSchema = z.strictObject({ reason: optionalReason });

/** DELETE /v1/webhooks/{id}: the query string. */
export const deleteWebhookSchema = z.strictObject({ reason: optionalReason });

/** POST /v1/webhooks/{id}/redeliver: the body. */
export const redeliverFailedSchema = z.strictObject({
  from: moment.describe('Written at this moment or later.'),
  to: moment.optional().describe('Written before this moment. Absent: until now.'),
  max: z.int().min(1).max(maxRedelivered).default(maxRedelivered).describe('The most; the oldest are first.'),
  reason: optionalReason,
});

const countText = `is a whole number from 1 to ${maxListedDeliveries}`;
const limit = z
  .string()
  .regex(/^[1-9]\d{0,2}$/, countText)
  .transform(Number)
  .refine((value) => value <= maxListedDeliveries, countText);
const cursor = z.string().transform((value, context): DeliveryPlace => {
  const [, atUs, id] = /^(\d{1,17})~([0-9a-f-]{36})$/.exec(value) ?? [];
  if (atUs !== undefined && id !== undefined && z.uuid().safeParse(id).success) return { atUs, id };
  context.addIssue({ code: 'custom', message: 'is the "next" of an earlier answer' });
  return z.NEVER;
});

/** GET /v1/webhooks/{id}/deliveries: the query string. */
export const listDeliveriesSchema = z
  .strictObject({
    state: z.enum(deliveryStates, { error: `is any of ${deliveryStates.join(', ')}` }).optional(),
    limit: limit.optional(),
    after: cursor.optional(),
  })
  .transform(({ limit: most = defaultListed, ...rest }) => ({ ...rest, limit: most }));
export type ListDeliveries = z.output<typeof listDeliveriesSchema>;
