import type { CostLine, RequestLine, UsageLine } from './bill.ts';
import type { BillDocument } from './bill-text.ts';

/** What one document of a bill says. */
export interface BillPart {
  /** What it was read as: "openai usage". */
  readonly form: string;
  readonly usage: readonly UsageLine[];
  readonly costs: readonly CostLine[];
  readonly requests: readonly RequestLine[];
  readonly days: readonly string[];
  /** The buckets that it holds results of, with what kind of results: each stands in one page only. */
  readonly buckets: readonly string[];
  readonly notices: readonly string[];
  /** The most digits after the point that an amount in US dollars has. */
  readonly digits: number;
  /** A page that is not the last. */
  readonly hasMore: boolean;
}

/**
 * Reads one document of a provider's bill in steps: each time it yields, other work can have its turn. Throws
 * MILLRACE_BILL_INVALID and MILLRACE_BILL_TOO_LARGE.
 */
export type PageReader = (document: BillDocument, file: string) => Generator<undefined, BillPart, undefined>;

/** Where a value stands in a file. */
export function placeOf(file: string, { lineOf, path = [] }: BillDocument): string {
  return `${file}, line ${lineOf([])}, ${path.map(String).join('.')}`;
}
