import { hash } from 'node:crypto';
import { z } from 'zod';
import { isUuid } from '../../../kernel/ids.ts';
import { isPrintableName, notPrintable } from '../../../kernel/printable-name.ts';
import { isReportable, reportableYears } from '../../../kernel/reportable-time.ts';
import { isStorableText, storableProblem } from '../../../kernel/storable-text.ts';
import { labelKeyPattern, originName } from '../../../messages/origin.ts';
import { batchSettingsSchema } from '../batch-settings.ts';
import { cellTypes } from './input/cell-types.ts';
import { lineForms } from './input/jsonl-records.ts';
import { optionalReason } from '../../../http/change-reason.ts';

/* What may be asked for about batches that come in, by request or on the command line. */

const maxLabels = 16;
/** Of a column's name. */
const maxColumnCharacters = 256;
const maxOmitted = 100;

const typeName = z.string().min(1).max(128).refine(isPrintableName, notPrintable);

/** A batch is had by its name: in a path, where these two say other things, and where an id can stand too. */
const batchName = originName
  .refine((name) => name !== '.' && name !== '..', 'must not be "." or "..": no path can name such a batch')
  .refine((name) => !isUuid(name.toLowerCase()), 'must not have the form of an id');

/** POST /v1/batches: the body. */
export const createBatchSchema = z.strictObject({
  name: batchName.describe("The batch in the origin of its messages; one of its team's batches has it."),
  team: originName.optional().describe('The team that pays; left out by keys of one team.'),
  customer: originName.describe('Of items that name no other.'),
  feature: originName,
  labels: z
    .record(z.string().regex(labelKeyPattern), originName)
    .refine((labels) => Object.keys(labels).length <= maxLabels, `at most ${maxLabels} labels`)
    .optional(),
  pipeline: typeName,
  type: typeName
    .optional()
    .describe("Of the items' messages; left out where the pipeline takes in one type only."),
  version: z.int().min(1).max(1_000_000).optional().describe('Of their data. Default the newest.'),
  settings: batchSettingsSchema.prefault({}),
  priority: z
    .int()
    .min(-1000)
    .max(1000)
    .default(0)
    .describe('Of two batches that both could go on, the higher one does.'),
  deadline: z.iso
    .datetime({ offset: true, error: 'is a time with its zone, as in 2026-03-01T12:00:00Z' })
    .refine((text) => !Number.isNaN(Date.parse(text)), { error: 'is no time', abort: true })
    .refine((text) => isReportable(new Date(text)), reportableYears)
    .optional()
    .describe('Items that have not ended by then expire.'),
});

export type CreateBatchRequest = z.output<typeof createBatchSchema>;

const columnName = z
  .string()
  .min(1, 'names a column')
  .max(maxColumnCharacters, `has at most ${maxColumnCharacters} characters`)
  .refine(isStorableText, storableProblem);

/** PUT /v1/batches/{id}/items: the query string. */
export const uploadQuerySchema = z.strictObject({
  form: z.enum(lineForms).default('item').describe('JSON Lines: what a line is.'),
  types: z.enum(cellTypes).default('text').describe('CSV: what the cells are.'),
  idColumn: columnName.optional().describe('CSV and Parquet: the column with the ids of the items.'),
  customerColumn: columnName.optional().describe('The column with their customers.'),
  teamColumn: columnName.optional().describe('The column with their teams.'),
  omit: z
    .string()
    .max(maxOmitted * maxColumnCharacters)
    .refine(isStorableText, storableProblem)
    .transform((text) => text.split(',').filter((name) => name !== ''))
    .refine((names) => names.length <= maxOmitted, `has at most ${maxOmitted} names`)
    .default([])
    .describe('Columns that are no data, separated by commas.'),
});

export type UploadQuery = z.output<typeof uploadQuerySchema>;

/** POST /v1/batches/{id}/start: the body. */
export const startBatchSchema = z.strictObject({
  dryRun: z.boolean().default(false).describe('Start nothing; answer what it is expected to cost.'),
  force: z
    .boolean()
    .default(false)
    .describe('Start it although it is expected to use more than what a budget has left.'),
  reason: optionalReason,
});

/** POST /v1/batches/{id}/discard: the body. */
export const discardBatchSchema = z.strictObject({ reason: optionalReason });

/** The same for the same request, however its members are ordered. A deadline that was given as a time from then on counts as that time. */
export function digestOf(request: CreateBatchRequest, team: string, deadlineMs?: number): string {
  const {
    name,
    customer,
    feature,
    labels = {},
    pipeline,
    type,
    version,
    settings,
    priority,
    deadline,
  } = request;
  const sorted = Object.entries(labels).toSorted(([one], [other]) => (one < other ? -1 : 1));
  const time = deadlineMs ?? (deadline === undefined ? null : new Date(deadline).toISOString());
  const asked = [
    team,
    name,
    customer,
    feature,
    sorted,
    pipeline,
    type ?? null,
    version ?? null,
    settings,
    priority,
    time,
  ];
  return hash('sha256', JSON.stringify(asked));
}
