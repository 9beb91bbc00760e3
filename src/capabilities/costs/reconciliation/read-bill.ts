import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Bill, BillProvider } from './bill.ts';
import type { BillPart, PageReader } from './bill-part.ts';
import { readAnthropicPage } from './anthropic-bill.ts';
import {
  type BillDocument,
  type BillLimits,
  invalidBill,
  readBillText,
  requestBillLimits,
  tooLarge,
  type ValueCount,
} from './bill-text.ts';
import { maxDays, unitOf } from './bill-values.ts';
import { readOpenaiPage } from './openai-bill.ts';
import { readOpenrouterPage } from './openrouter-bill.ts';

/** A file of a bill. A bill may be of several: usage and costs, one page each. */
export interface BillFile {
  readonly name: string;
  readonly text: string;
}

const readers: Readonly<Record<BillProvider, PageReader>> = {
  openai: readOpenaiPage,
  anthropic: readAnthropicPage,
  openrouter: readOpenrouterPage,
};

const maxLines = 1_000_000;
/** Lines, or buckets, that are read before other work has its turn. */
const stepsInTurn = 1_000;
/** Of what was not understood. */
const maxNotices = 100;

/** The bill in the files. Other work has its turn while it is read. Throws MILLRACE_BILL_INVALID and MILLRACE_BILL_TOO_LARGE. */
export async function readBill(
  provider: BillProvider,
  files: readonly BillFile[],
  limits: BillLimits = requestBillLimits,
): Promise<Bill> {
  const parts: BillPart[] = [];
  const incomplete = new Map<string, string>();
  const buckets = new Set<string>();
  const counted: ValueCount = { values: 0 };
  let count = 0;
  for (const { name, text } of files) {
    for await (const page of readBillText(text, name, limits, counted)) {
      const part = await inTurns(readers[provider](page, name));
      parts.push(part);
      refuseRepeats(part, buckets, page, name);
      count += part.usage.length + part.costs.length + part.requests.length;
      if (count > maxLines) throw tooLarge(name, `brings the bill to more than ${maxLines} lines`);
      // Pages follow each other: the last one of a form ends it.
      if (part.hasMore) incomplete.set(part.form, name);
      else incomplete.delete(part.form);
    }
  }
  for (const [form, name] of incomplete)
    throw invalidBill(name, 1, 'has_more', `the last page of ${form} says that more follow: add them`);
  const bill = billOf(provider, parts);
  const [{ name } = { name: 'the bill' }] = files;
  if (bill.days.length === 0) throw invalidBill(name, 1, 'data', 'covers no day');
  if (bill.days.length > maxDays) throw tooLarge(name, `covers more than ${maxDays} days`);
  if (bill.requests.length > 0 && bill.costs.length > 0)
    throw invalidBill(name, 1, 'data', 'holds single requests beside days: reconcile one after the other');
  if (bill.costs.length === 0 && bill.requests.length === 0 && bill.usage.length > 0)
    throw invalidBill(
      name,
      1,
      'data',
      'says what was used, not what it cost: add the costs of the same days',
    );
  return bill;
}

/** What the steps answer at their end. After so many of them other work has its turn. */
async function inTurns(steps: ReturnType<PageReader>): Promise<BillPart> {
  for (let n = 1; ; n += 1) {
    const { done = false, value } = steps.next();
    if (done && value !== undefined) return value;
    if (n % stepsInTurn === 0) await nextTurn();
  }
}

/** A page that was put in twice would be billed twice. */
function refuseRepeats(part: BillPart, buckets: Set<string>, page: BillDocument, file: string): void {
  for (const bucket of part.buckets) {
    if (buckets.has(bucket))
      throw invalidBill(
        file,
        page.lineOf([]),
        'data',
        `the ${bucket} stand in it twice: is a page in it twice?`,
      );
    buckets.add(bucket);
  }
}

function billOf(provider: BillProvider, parts: readonly BillPart[]): Bill {
  const forms = [...new Set(parts.map(({ form }) => form))].toSorted();
  const notices = [...new Set(parts.flatMap((part) => part.notices))].toSorted();
  return {
    provider,
    form: forms.join(', '),
    usage: parts.flatMap((part) => part.usage),
    costs: parts.flatMap((part) => part.costs),
    requests: parts.flatMap((part) => part.requests),
    days: [...new Set(parts.flatMap((part) => part.days))].toSorted(),
    notices:
      notices.length > maxNotices
        ? [...notices.slice(0, maxNotices), `${notices.length - maxNotices} more`]
        : notices,
    unitUsd: unitOf(parts.reduce((most, { digits }) => Math.max(most, digits), 0)),
  };
}
