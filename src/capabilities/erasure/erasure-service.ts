import type { ColumnStore } from '../../drivers/column-store/column-store.ts';
import { invalidRequest } from '../../http/request-faults.ts';
import { AppError } from '../../kernel/app-error.ts';
import { BackgroundJob } from '../../kernel/background-job.ts';
import type { Clock } from '../../kernel/clock.ts';
import { isUuid } from '../../kernel/ids.ts';
import { invariant } from '../../kernel/invariant.ts';
import { type Erasure, type ErasureLedger, type ErasureOrder, erasureRenewalMs } from './erasure-ledger.ts';
import type { ErasureSelection } from './erasure-selection.ts';
import type { PayloadCleaner } from '../../engine/maintenance/payload-cleaner.ts';
import { countUsage, eraseUsage, hasUsage } from './erase-usage.ts';
import { describeErasure, type ErasureDocument } from './erasure-documents.ts';
import { erasureErrors } from './erasure-errors.ts';

/** What an operator asks for: exactly one of them, but that a customer may be one team's. */
export interface ErasureRequest {
  readonly customer?: string | undefined;
  readonly team?: string | undefined;
  readonly message?: string | undefined;
}

/** Whose the erasure may be: with a team, only what is that team's. */
export interface ErasureViewer {
  readonly team?: string;
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

export interface ErasureServiceOptions {
  readonly ledger: ErasureLedger;
  readonly store: ColumnStore;
  readonly cleaner: PayloadCleaner;
  readonly clock: Clock;
}

/** After these the column store may have what was asked for. */
const passingFailures: ReadonlySet<string> = new Set([
  'MILLRACE_COLUMN_STORE_UNAVAILABLE',
  'MILLRACE_COLUMN_STORE_OUT_OF_MEMORY',
]);

/** Erases what is known of a customer, a team's customers or a message; what was spent stays, under a pseudonym. */
export class ErasureService {
  readonly #options: ErasureServiceOptions;

  constructor(options: ErasureServiceOptions) {
    this.#options = options;
  }

  /** Throws MILLRACE_REQUEST_INVALID, MILLRACE_FORBIDDEN and MILLRACE_NOT_FOUND. */
  async preview(request: ErasureRequest, viewer: ErasureViewer = {}): Promise<ErasureReport> {
    const { ledger, store } = this.#options;
    const selection = await this.#selectionOf(request, viewer);
    const measure = await ledger.measure(selection);
    return { isDryRun: true, ...measure, usageRows: await countUsage(store, selection) };
  }

  /**
   * Erases, and answers when it is done. Given again after it died, it goes on where it was. Throws what `preview` throws,
   * MILLRACE_ERASURE_BLOCKED, and MILLRACE_ERASURE_FAILED when a maintenance process gave it up meanwhile.
   */
  async erase(request: ErasureRequest, order: ErasureOrder): Promise<ErasureReport> {
    const { ledger, store } = this.#options;
    const selection = await this.#selectionOf(request, {});
    const measure = await ledger.measure(selection);
    const usageRows = await countUsage(store, selection);
    const requested = await ledger.request(selection, order, await this.#isEmpty(selection));
    const erasure = await ledger.begin(requested);
    if (erasure !== undefined) await this.#work(erasure, selection);
    const { pseudonym } = requested;
    const state = await ledger.find(requested.id);
    if (state !== undefined && state.failed_at !== null)
      throw new AppError(
        erasureErrors.MILLRACE_ERASURE_FAILED,
        `The erasure ${state.id} was given up: ${state.failure}.`,
      );
    return {
      isDryRun: false,
      ...measure,
      messages: state?.messages ?? 0,
      usageRows,
      ...(selection.kind === 'message' ? {} : { pseudonym }),
    };
  }

  /** Notes what is to be erased, durably; a maintenance process does it (`goOn`). Throws what `erase` throws. */
  async request(
    request: ErasureRequest,
    order: ErasureOrder,
    viewer: ErasureViewer,
  ): Promise<ErasureDocument> {
    const { ledger } = this.#options;
    const selection = await this.#selectionOf(request, viewer);
    const { id } = await ledger.request(selection, order, await this.#isEmpty(selection));
    const state = await ledger.find(id);
    invariant(state !== undefined, 'an erasure that was noted is there');
    return describeErasure(state);
  }

  /** How far an erasure is; undefined when there is none for the viewer. */
  async find(id: string, { team }: ErasureViewer): Promise<ErasureDocument | undefined> {
    const state = isUuid(id) ? await this.#options.ledger.find(id) : undefined;
    return state === undefined || (team !== undefined && state.team !== team)
      ? undefined
      : describeErasure(state);
  }

  /** The ledger is asked first: what leaves it meanwhile is in the column store. */
  async #isEmpty(selection: ErasureSelection): Promise<boolean> {
    const { ledger, store } = this.#options;
    try {
      return (await ledger.isNowhere(selection)) && !(await hasUsage(store, selection));
    } catch (error) {
      // A column store that is away may have something: the erasure waits for it.
      if (error instanceof AppError && passingFailures.has(error.code)) return false;
      throw error;
    }
  }

  /** Does what was asked for and what another process left undone. Answers whether it did anything. */
  async goOn(): Promise<boolean> {
    const { ledger } = this.#options;
    const open = await ledger.findOpen();
    const erasure = open === undefined ? undefined : await ledger.tryToBegin(open);
    if (open === undefined || erasure === undefined) return false;
    await this.#work(erasure, open.selection);
    return true;
  }

  async #work(erasure: Erasure, selection: ErasureSelection): Promise<void> {
    const { ledger, store, cleaner } = this.#options;
    const lease = this.#keep(erasure);
    try {
      const messages = await ledger.erase(selection, erasure);
      await ledger.enterStore(erasure);
      await eraseUsage(store, { selection, pseudonym: erasure.pseudonym });
      await ledger.end(erasure, selection, messages);
      while (await cleaner.clean());
    } catch (error) {
      await lease.stop();
      await ledger.noteFailure(erasure, selection, error).catch(() => undefined);
      // The next may go on at once; if this fails too, when the lease is over.
      await ledger.giveBack(erasure).catch(() => undefined);
      throw error;
    } finally {
      await lease.stop();
    }
  }

  /** Renews the lease while the work goes on; a statement of the column store may take minutes. */
  #keep(erasure: Erasure): { check(): Promise<void>; stop(): Promise<void> } {
    const { ledger, clock } = this.#options;
    const check = (): Promise<void> => ledger.renew(erasure);
    const renewal = new BackgroundJob({
      clock,
      intervalMs: erasureRenewalMs,
      turn: async () => {
        await check();
        return false;
      },
      // A lease that is lost is noticed at the end; until then two processes do the same.
      onTurnEnd: () => undefined,
    });
    renewal.start();
    return { check, stop: () => renewal.stop() };
  }

  async #selectionOf(
    { customer, team, message }: ErasureRequest,
    viewer: ErasureViewer,
  ): Promise<ErasureSelection> {
    const blank = Object.entries({ customer, team }).find(([, name]) => name?.trim() === '');
    if (blank !== undefined)
      throw invalidRequest([{ field: blank[0], problem: 'is empty: give a name, or leave it out' }]);
    if (message !== undefined && customer === undefined && team === undefined) {
      const found = isUuid(message) ? await this.#options.ledger.rootOf(message) : undefined;
      if (found === undefined || (viewer.team !== undefined && found.team !== viewer.team))
        throw new AppError(
          'MILLRACE_NOT_FOUND',
          `There is no message with the id ${JSON.stringify(message)}.`,
        );
      return { kind: 'message', rootId: found.root_id };
    }
    if (viewer.team !== undefined && team !== undefined && team !== viewer.team)
      throw new AppError('MILLRACE_FORBIDDEN', `This API key erases for the team "${viewer.team}" only.`);
    if (message === undefined && customer !== undefined) {
      const whose = team ?? viewer.team;
      return { kind: 'customer', customer, ...(whose === undefined ? {} : { team: whose }) };
    }
    if (message === undefined && customer === undefined && team !== undefined) return { kind: 'team', team };
    throw new AppError(
      'MILLRACE_REQUEST_INVALID',
      'Say what is to be erased: a customer (with a team for one of its only), a team, or a message.',
    );
  }
}
