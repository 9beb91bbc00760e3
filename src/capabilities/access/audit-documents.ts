import { z } from 'zod';
import { AppError } from '../../kernel/app-error.ts';
import type { AuditEntry, AuditFilter, AuditLog, AuditPlace } from './audit-log.ts';

/* The audit as the API and the command line show it. */

const entrySchema = z.object({
  id: z.uuid(),
  at: z.iso.datetime(),
  actor: z
    .string()
    .describe(
      'Who: "key:NAME:ID", "person:NAME:ID", "cli:ACCOUNT" for a command, "code" for an application.',
    ),
  action: z.string().describe('What was done, as in "keys.revoke".'),
  target: z.string().describe('What it was done to.'),
  team: z.string().optional().describe('The one team whose operator acted, or that the target belongs to.'),
  affected: z.int().describe('How many of these were changed.'),
  from: z.unknown().optional().describe('What was before, where a value was changed.'),
  to: z.unknown().optional().describe('What is since.'),
  reason: z.string(),
  detail: z.record(z.string(), z.unknown()).describe('How it was asked for, and more of what was changed.'),
});

export const auditListSchema = z.object({
  entries: z.array(entrySchema).describe('Newest first; those of one moment by their ids.'),
  next: z
    .string()
    .optional()
    .describe(
      'Where the next page begins, for `after`; absent on the last page. A page may hold fewer entries than asked for, even none, and still have a next.',
    ),
});

export type AuditEntryDocument = z.output<typeof entrySchema>;
export type AuditList = z.output<typeof auditListSchema>;

/** A page of the audit for a viewer, who sees the own team's entries only when bound to one. Throws MILLRACE_FORBIDDEN. */
export async function listAudit(
  log: AuditLog,
  filter: AuditFilter,
  viewer: { readonly team?: string | undefined },
  page: { readonly limit: number; readonly after?: AuditPlace | undefined },
): Promise<AuditList> {
  if (viewer.team !== undefined && filter.team !== undefined && filter.team !== viewer.team) {
    throw new AppError(
      'MILLRACE_FORBIDDEN',
      `This API key shows the audit of the team "${viewer.team}" only.`,
    );
  }
  const { entries, next } = await log.list({ ...filter, team: viewer.team ?? filter.team }, page);
  return {
    entries: entries.map((entry) => documentOf(entry)),
    ...(next === undefined ? {} : { next: `${next.atUs}~${next.id}` }),
  };
}

function documentOf({ at, team, detail: { from, to, ...detail }, ...rest }: AuditEntry): AuditEntryDocument {
  return {
    ...rest,
    at: at.toISOString(),
    ...(team === undefined ? {} : { team }),
    ...(isThere(from) ? { from } : {}),
    ...(isThere(to) ? { to } : {}),
    detail,
  };
}

function isThere(value: unknown): boolean {
  return value !== undefined && value !== null;
}
