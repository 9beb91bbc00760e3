import type { ColumnStore } from '../drivers/column-store/column-store.ts';
import { AppError } from '../kernel/app-error.ts';
import { isUuid } from '../kernel/ids.ts';
import type { ErasureLedger, ErasureOrder, ErasureSelection } from '../ledger/erasure-ledger.ts';
import type { PayloadCleaner } from '../pipeline/payload-cleaner.ts';
import { countUsage, eraseUsage } from '../usage/erase-usage.ts';

/** What an operator asks for: exactly one of them, but that a customer may be one team's. */
export interface ErasureRequest {
  readonly customer?: string | undefined;
  readonly team?: string | undefined;
  readonly message?: string | undefined;
}

/** What is there, or what was erased. */
export interface ErasureReport {
  readonly isDryRun: boolean;
  readonly messages: number;
  readonly deadLetters: number;
  readonly calls: number;
  /** Work that is not at its end: nothing is erased until it is. */
  readonly open: number;
  readonly usageRows: number;
  /** What stands in place of the customer's name; absent in a dry run and for a message. */
  readonly pseudonym?: string;
}

/** Erases what is known of a customer, a team's customers or a message; what was spent stays, under a pseudonym. */
export class ErasureOffice {
  readonly #ledger: ErasureLedger;
  readonly #store: ColumnStore;
  readonly #cleaner: PayloadCleaner;

  constructor(options: {
    readonly ledger: ErasureLedger;
    readonly store: ColumnStore;
    readonly cleaner: PayloadCleaner;
  }) {
    this.#ledger = options.ledger;
    this.#store = options.store;
    this.#cleaner = options.cleaner;
  }

  /** Throws MILLRACE_REQUEST_INVALID and MILLRACE_NOT_FOUND. */
  async preview(request: ErasureRequest): Promise<ErasureReport> {
    const selection = await this.#selectionOf(request);
    const measure = await this.#ledger.measure(selection);
    return { isDryRun: true, ...measure, usageRows: await countUsage(this.#store, selection) };
  }

  /** Given again after it died, it goes on where it was. Throws MILLRACE_ERASURE_BLOCKED too. */
  async erase(request: ErasureRequest, order: ErasureOrder): Promise<ErasureReport> {
    const selection = await this.#selectionOf(request);
    const measure = await this.#ledger.measure(selection);
    const usageRows = await countUsage(this.#store, selection);
    const erasure = await this.#ledger.begin(selection, order);
    const messages = await this.#ledger.erase(selection, erasure);
    await eraseUsage(this.#store, {
      selection,
      pseudonym: erasure.pseudonym,
      months: erasure.months,
      note: (months) => this.#ledger.noteMonths(erasure, months),
    });
    await this.#ledger.end(erasure, selection, messages);
    while (await this.#cleaner.clean());
    const { pseudonym } = erasure;
    return {
      isDryRun: false,
      ...measure,
      messages,
      usageRows,
      ...(selection.kind === 'message' ? {} : { pseudonym }),
    };
  }

  async #selectionOf({ customer, team, message }: ErasureRequest): Promise<ErasureSelection> {
    if (message !== undefined && customer === undefined && team === undefined) {
      const rootId = isUuid(message) ? await this.#ledger.rootOf(message) : undefined;
      if (rootId === undefined)
        throw new AppError(
          'MILLRACE_NOT_FOUND',
          `There is no message with the id ${JSON.stringify(message)}.`,
        );
      return { kind: 'message', rootId };
    }
    if (message === undefined && customer !== undefined && customer !== '')
      return { kind: 'customer', customer, ...(team === undefined ? {} : { team }) };
    if (message === undefined && customer === undefined && team !== undefined && team !== '')
      return { kind: 'team', team };
    throw new AppError(
      'MILLRACE_REQUEST_INVALID',
      "Say what is to be erased: --customer (with --team for one team's), --team, or --message.",
    );
  }
}
