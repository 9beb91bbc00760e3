import { z } from 'zod';
import type { AttemptRow, DeliveryRow, EndpointRow } from './endpoint-store.ts';
import { disabledCauses } from './webhook-metrics.ts';
import { deliveryStates } from './webhook-requests.ts';
import { signingSchemes, verificationKeyOf } from './webhook-secret.ts';

/* Webhooks as API and command line show them. Secrets are shown once, where they are made. */

const webhookShape = {
  id: z.uuid(),
  kind: z
    .enum(['configured', 'subscription'])
    .describe('Whether the configuration has its address and secret, or the ledger.'),
  name: z.string(),
  team: z.string().optional().describe('Of whose work it is told. Absent: of that of all teams.'),
  url: z.string().optional().describe('Absent: the configuration has it.'),
  events: z.array(z.string()).describe('What it is told of without being named.'),
  signing: z.enum(signingSchemes),
  publicKey: z.string().optional().describe('What its receiver verifies with, where it signs with v1a.'),
  previousUntil: z.iso.datetime().optional().describe('Until when an earlier secret signs as well.'),
  state: z.enum(['enabled', 'disabled']),
  cause: z
    .enum(disabledCauses)
    .optional()
    .describe(
      'Why it is disabled: an operator did it; it answered 410 (gone); or it took nothing until a delivery was given up on (exhausted).',
    ),
  stateAt: z.iso.datetime().optional().describe('When it was disabled or enabled last.'),
  notBefore: z.iso.datetime().optional().describe('It asked for a pause: nothing is sent before.'),
  takenAt: z.iso.datetime().optional().describe('When it last took something.'),
  createdAt: z.iso.datetime(),
};

export const webhookSchema = z.object(webhookShape);
export const webhookListSchema = z.object({
  webhooks: z.array(webhookSchema).describe('By their ids. Configured ones stand here once they were named.'),
});
export const newWebhookSchema = z.object({
  ...webhookShape,
  secret: z
    .string()
    .describe('What its receiver verifies with: the secret, or the public key. A secret is shown this once.'),
});

const deliveryShape = {
  id: z.uuid(),
  event: z.uuid().describe('The webhook-id: the same at every attempt and for every endpoint.'),
  webhook: z.uuid(),
  type: z.string(),
  subject: z.uuid().optional().describe('The batch or request that it tells of.'),
  state: z.enum(deliveryStates),
  attempts: z.int(),
  nextAt: z.iso.datetime().optional().describe('When the next attempt is due.'),
  createdAt: z.iso.datetime(),
  endedAt: z.iso.datetime().optional(),
  lastAttemptAt: z.iso.datetime().optional(),
  lastStatus: z.int().optional().describe('Absent: there was no answer.'),
  lastProblem: z.string().optional(),
};

export const deliveryListSchema = z.object({
  deliveries: z.array(z.object(deliveryShape)).describe('The newest comes first.'),
  next: z.string().optional().describe('Where the next page begins; absent on the last.'),
});
export const deliverySchema = z.object({
  ...deliveryShape,
  body: z.string().describe('What is sent, to the letter.'),
  log: z
    .array(
      z.object({
        attempt: z.int(),
        at: z.iso.datetime(),
        durationMs: z.int(),
        status: z.int().optional(),
        problem: z.string().optional(),
        excerpt: z.string().optional().describe("The first of the answer's body."),
      }),
    )
    .describe('The latest attempts, the last one first. One of which the process died is not here.'),
});
export const queuedDeliverySchema = z.object({ delivery: z.uuid() });
export const redeliveredSchema = z.object({ queued: z.int().describe('Deliveries that are sent again.') });
export const deletedWebhookSchema = z.object({ ...webhookShape, deleted: z.literal(true) });

export type WebhookDocument = z.output<typeof webhookSchema>;
export type WebhookList = z.output<typeof webhookListSchema>;
export type NewWebhook = z.output<typeof newWebhookSchema>;
export type DeliveryList = z.output<typeof deliveryListSchema>;
export type DeliveryDocument = z.output<typeof deliverySchema>;
export type QueuedDelivery = z.output<typeof queuedDeliverySchema>;
export type Redelivered = z.output<typeof redeliveredSchema>;
export type DeletedWebhook = z.output<typeof deletedWebhookSchema>;

const timeOf = (date: Date | null): string | undefined => date?.toISOString();

export function webhookDocument(row: EndpointRow, now: Date): WebhookDocument {
  const { secret, previous_until: previousUntil, not_before: notBefore } = row;
  return withoutAbsent({
    id: row.id,
    kind: row.kind,
    name: row.name,
    team: row.team ?? undefined,
    url: row.url ?? undefined,
    events: [...row.events],
    signing: row.signing,
    publicKey: row.signing === 'v1a' && secret !== null ? verificationKeyOf(secret) : undefined,
    previousUntil: previousUntil !== null && previousUntil > now ? timeOf(previousUntil) : undefined,
    state: row.state,
    cause: row.cause ?? undefined,
    stateAt: timeOf(row.state_at),
    notBefore: notBefore !== null && notBefore > now ? timeOf(notBefore) : undefined,
    takenAt: timeOf(row.taken_at),
    createdAt: row.created_at.toISOString(),
  });
}

export function deliveryDocument(row: DeliveryRow): DeliveryList['deliveries'][number] {
  return withoutAbsent({
    id: row.id,
    event: row.event_id,
    webhook: row.endpoint_id,
    type: row.type,
    subject: row.subject ?? undefined,
    state: row.state,
    attempts: row.attempts,
    nextAt: row.state === 'pending' ? row.next_at.toISOString() : undefined,
    createdAt: row.created_at.toISOString(),
    endedAt: timeOf(row.ended_at),
    lastAttemptAt: timeOf(row.last_at),
    lastStatus: row.last_status ?? undefined,
    lastProblem: row.last_problem ?? undefined,
  });
}

export function attemptDocument(row: AttemptRow): DeliveryDocument['log'][number] {
  return withoutAbsent({
    attempt: row.attempt,
    at: row.at.toISOString(),
    durationMs: row.duration_ms,
    status: row.status ?? undefined,
    problem: row.problem ?? undefined,
    excerpt: row.excerpt ?? undefined,
  });
}

/** Members without a value are left out, here and in JSON. */
function withoutAbsent<Document extends object>(document: Document): Document {
  const present = Object.entries(document).filter(([, value]) => value !== undefined);
  return Object.fromEntries(present) as Document;
}
