import type { WebhookNames } from '../../../engine/ledger/webhook-names.ts';
import type { Operator, Viewer } from '../../../http/operator.ts';
import { invalidRequest } from '../../../http/request-faults.ts';
import { AppError } from '../../../kernel/app-error.ts';
import type { Clock } from '../../../kernel/clock.ts';
import { toldFaults } from '../../../kernel/fault.ts';
import { newId, type Uuid } from '../../../kernel/ids.ts';
import { formatUsd } from '../../../kernel/money.ts';
import { parseOrigin } from '../../../messages/origin.ts';
import { batchErrors } from '../batch-errors.ts';
import type { BatchValidators } from '../done/batch-validators.ts';
import type { BatchEstimates, Shortage } from './batch-estimates.ts';
import type { BatchUploads, TakenUpload } from './batch-uploads.ts';
import type { BatchEstimate } from './estimate-document.ts';
import type { BatchInput } from './input/input-records.ts';
import type { IncomingBatch, IntakeLedger } from './intake-ledger.ts';
import { type CreateBatchRequest, digestOf } from './intake-requests.ts';
import { otherBatch, sameAs } from './same-batch.ts';
import type { AskedEntry } from '../../../engine/pipeline/pipeline-types.ts';
import type { ItemType } from './pipeline-types.ts';

export interface BatchIntakeOptions {
  readonly ledger: IntakeLedger;
  readonly uploads: BatchUploads;
  readonly estimates: BatchEstimates;
  /** Which messages the items are. Throws MILLRACE_BATCH_TYPE_UNCLEAR. */
  readonly itemTypeOf: (asked: AskedEntry) => ItemType;
  /** What can check the output; undefined where that is not known. */
  readonly validators?: Pick<BatchValidators, 'names'> | undefined;
  /** Who can be told of batches. */
  readonly webhooks: Pick<WebhookNames, 'has'>;
  readonly clock: Clock;
}

/** How a deadline was given: as a time from then on, in which it counts as the same whenever it is asked for. */
export interface AskedDeadline {
  readonly deadlineMs?: number | undefined;
}

/** A batch that was submitted before. */
export interface SubmittedBatch {
  readonly batch: IncomingBatch;
  /** Undefined where it is not known which input it has. */
  readonly isSameInput: true | undefined;
}

/** What a batch would be. */
export interface DryRun {
  /** The batch that has the name already. */
  readonly existing: IncomingBatch | undefined;
  readonly taken: TakenUpload;
  readonly estimate: BatchEstimate;
}

/**
 * How batches come in: made by name, filled by an upload, estimated, started. Each step may be made again: a batch of the same name and request
 * is the same batch, an upload takes the place of the one before, and a batch that runs is not started again.
 */
export class BatchIntake {
  readonly #options: BatchIntakeOptions;

  constructor(options: BatchIntakeOptions) {
    this.#options = options;
  }

  /**
   * Makes a batch, or finds the one that the same request has made. Throws MILLRACE_BATCH_EXISTS for another request with the name,
   * MILLRACE_BATCH_TYPE_UNCLEAR, MILLRACE_FORBIDDEN for another team than the operator's, and MILLRACE_REQUEST_INVALID.
   */
  async create(
    request: CreateBatchRequest,
    operator: Operator,
    { deadlineMs }: AskedDeadline = {},
  ): Promise<{ readonly batch: IncomingBatch; readonly isNew: boolean }> {
    const { ledger, itemTypeOf, clock } = this.#options;
    const team = teamOf(request, operator);
    const requestDigest = digestOf(request, team, deadlineMs);
    const before = await this.named(team, request.name);
    if (before !== undefined) return { batch: sameAs(before, request, requestDigest), isNew: false };
    const { name, customer, feature, labels, pipeline, settings, priority } = request;
    const deadline = request.deadline === undefined ? undefined : new Date(request.deadline);
    if (deadline !== undefined && deadline <= clock.now()) {
      throw invalidRequest([{ field: 'deadline', problem: 'is over' }]);
    }
    const { type, version } = itemTypeOf(request);
    this.#confirmValidator(settings.quality?.validator);
    await this.#confirmWebhook(settings.notify?.webhook, team);
    const origin = parseOrigin({ team, customer, feature, batch: name, labels });
    const id = newId(clock.now());
    const asked = { id, pipeline, type, version, settings, priority, deadline, requestDigest };
    const created = await ledger.create(
      { ...asked, origin: { ...origin, batch: name }, actor: operator.actor },
      newId(clock.now()),
    );
    if (created !== undefined) return { batch: created, isNew: true };
    const other = await ledger.findNamed(team, name);
    if (other === undefined)
      throw new AppError(
        batchErrors.MILLRACE_BATCH_STATE,
        `A batch "${name}" was made and discarded by somebody else in this moment: ask again.`,
      );
    return { batch: sameAs(other, request, requestDigest), isNew: false };
  }

  /**
   * The batch of a team that has a name. One that somebody began to discard, or that is being removed for its age, has it no longer: what is left of it
   * is removed first.
   */
  async named(team: string, name: string): Promise<IncomingBatch | undefined> {
    const { ledger } = this.#options;
    const batch = await ledger.findNamed(team, name);
    if (batch === undefined || !batch.isRemoving) return batch;
    await ledger.finishRemoval(batch.id);
    return await ledger.findNamed(team, name);
  }

  /**
   * The batch that the same request and the same input have made, when it takes no items any more; undefined where the name is free, or its batch
   * takes items. Throws MILLRACE_BATCH_EXISTS for another request or input, and what `confirm` throws once the input is read.
   */
  async submitted(
    request: CreateBatchRequest,
    input: BatchInput,
    operator: Operator,
    { deadlineMs, confirm }: AskedDeadline & { readonly confirm: () => Promise<void> },
  ): Promise<SubmittedBatch | undefined> {
    const team = teamOf(request, operator);
    const batch = await this.named(team, request.name);
    if (batch === undefined || batch.state === 'receiving') return undefined;
    sameAs(batch, request, digestOf(request, team, deadlineMs));
    const isSameInput = await this.#options.uploads.isInputOf(batch, input);
    await confirm();
    if (isSameInput === false) throw otherBatch(batch, 'has another input');
    return { batch, isSameInput };
  }

  /**
   * Checks an input and says what it is expected to cost, with nothing left of it: it is taken in as a batch of its own, so that one that has the name stays
   * as it is. Throws what making a batch and taking in its items throws.
   */
  async dryRun(
    request: CreateBatchRequest,
    input: BatchInput,
    operator: Operator,
    confirm?: () => Promise<void>,
  ): Promise<DryRun> {
    const { clock, estimates } = this.#options;
    const team = teamOf(request, operator);
    const existing = await this.named(team, request.name);
    const name = `dry run ${newId(clock.now())}`;
    const { batch } = await this.create({ ...request, name }, operator);
    try {
      const taken = await this.upload(batch.id, input, operator, confirm);
      // Budgets may be of the batch's name.
      const named = { ...taken.batch, origin: { ...taken.batch.origin, batch: request.name } };
      return { existing, taken, estimate: await estimates.estimate(named, operator) };
    } finally {
      await this.discard(batch.id, 'a dry run', operator);
    }
  }

  /** Takes in the items of a batch; `BatchUploads` says what it throws. Throws MILLRACE_BATCH_NOT_FOUND. */
  async upload(
    id: string,
    input: BatchInput,
    viewer: Viewer,
    confirm?: () => Promise<void>,
  ): Promise<TakenUpload> {
    const batch = await this.#get(id, viewer);
    return await this.#options.uploads.take(batch, input, {
      mayNameTeams: viewer.team === undefined,
      ...(confirm === undefined ? {} : { confirm }),
    });
  }

  /** The batch. Throws MILLRACE_BATCH_NOT_FOUND. */
  async find(id: string, viewer: Viewer): Promise<IncomingBatch> {
    return await this.#get(id, viewer);
  }

  /** What the batch is expected to cost. Throws MILLRACE_BATCH_NOT_FOUND, and MILLRACE_BATCH_STATE before its items are complete. */
  async estimate(id: string, viewer: Viewer): Promise<BatchEstimate> {
    const batch = await this.#get(id, viewer);
    if (batch.uploadState !== 'complete') throw refusal(batch);
    return await this.#options.estimates.estimate(batch, viewer);
  }

  /**
   * Lets a batch run whose items are complete. One that was started already is answered as it is. Throws MILLRACE_BATCH_NOT_FOUND, MILLRACE_BATCH_STATE, and,
   * unless it is forced, MILLRACE_BATCH_OVER_BUDGET.
   */
  async start(
    id: string,
    reason: string,
    operator: Operator,
    { force = false }: { readonly force?: boolean | undefined } = {},
  ): Promise<IncomingBatch> {
    const { ledger, clock, estimates } = this.#options;
    const batch = await this.#get(id, operator);
    if (batch.startedAt !== undefined) return batch;
    if (!force && batch.uploadState === 'complete') {
      const shortages = await estimates.shortages(batch, operator);
      if (shortages.length > 0) throw overBudget(batch, shortages);
    }
    const record = { id: newId(clock.now()), actor: operator.actor, reason };
    const started = await ledger.start(batch.id, record, force);
    if (started !== undefined) return started;
    const now = await this.#get(batch.id, operator);
    if (now.startedAt !== undefined) return now;
    throw refusal(now);
  }

  /** Removes a batch that is not started, with its items; answers it as it was. Throws MILLRACE_BATCH_NOT_FOUND and MILLRACE_BATCH_STATE. */
  async discard(id: string, reason: string, operator: Operator): Promise<IncomingBatch> {
    const { ledger, clock } = this.#options;
    const batch = await this.#get(id, operator);
    const record = { id: newId(clock.now()), actor: operator.actor, reason };
    if (await ledger.discard(batch.id, record)) return batch;
    const now = await ledger.find(id, operator);
    // Somebody else has discarded it meanwhile.
    if (now === undefined) return batch;
    throw new AppError(
      batchErrors.MILLRACE_BATCH_STATE,
      `The batch "${now.origin.batch}" is ${now.state}: only one that was not started can be discarded; cancel it instead.`,
    );
  }

  #confirmValidator(name: string | undefined): void {
    const known = this.#options.validators?.names;
    if (name === undefined || known === undefined || known.includes(name)) return;
    const there = known.length === 0 ? 'none' : known.map((one) => JSON.stringify(one)).join(', ');
    throw invalidRequest([
      {
        field: 'settings.quality.validator',
        problem: `is no validator of this application; there are ${there}`,
      },
    ]);
  }

  /** Names of other teams' webhooks are not told. */
  async #confirmWebhook(name: string | undefined, team: string): Promise<void> {
    if (name === undefined || (await this.#options.webhooks.has(name, team))) return;
    throw invalidRequest([
      {
        field: 'settings.notify.webhook',
        problem: 'is no webhook of this team, and none of the configuration that is open to it',
      },
    ]);
  }

  async #get(id: Uuid, viewer: Viewer): Promise<IncomingBatch> {
    const batch = await this.#options.ledger.find(id, viewer);
    if (batch !== undefined) return batch;
    throw new AppError(batchErrors.MILLRACE_BATCH_NOT_FOUND, 'There is no batch with this id.');
  }
}

function teamOf({ team }: CreateBatchRequest, operator: Operator): string {
  if (operator.team !== undefined && team !== undefined && team !== operator.team) {
    throw new AppError(
      'MILLRACE_FORBIDDEN',
      `This API key belongs to the team "${operator.team}" and cannot be used for another.`,
    );
  }
  const given = team ?? operator.team;
  if (given === undefined) {
    throw invalidRequest([{ field: 'team', problem: 'is missing: the API key belongs to no team' }]);
  }
  return given;
}

function overBudget({ origin }: IncomingBatch, shortages: readonly Shortage[]): AppError {
  const faults = shortages.map(({ room, needed }) => {
    if (room === undefined)
      return {
        field: 'budget',
        problem: `a budget that is not the team's has less left than the batch needs`,
      };
    const unit = room.unit === 'usd' ? 'USD' : 'tokens';
    const problem = `has ${formatUsd(room.left)} ${unit} left until ${room.endsAt.toISOString()}, and the batch is expected to use up to ${formatUsd(needed)} ${unit}`;
    return { field: `budget "${room.name}"`, problem };
  });
  return new AppError(
    batchErrors.MILLRACE_BATCH_OVER_BUDGET,
    `The batch "${origin.batch}" is not started: ${toldFaults(faults)}.`,
    { faults },
  );
}

/** Why a batch cannot be started. */
function refusal({ state, uploadState, origin, items, ended, deadline }: IncomingBatch): AppError {
  const why = ((): string => {
    if (state !== 'receiving') return `is ${state}`;
    if (uploadState === 'none') return 'has no items yet: send them first';
    if (uploadState === 'receiving')
      return 'has an upload that is under way, or broke off: send its items again';
    if (uploadState === 'faulty') return 'has an input with faults: send it again, corrected';
    if (items === ended.skipped) return 'has no items that can be run';
    return deadline === undefined
      ? 'cannot be started'
      : `has a deadline that is over (${deadline.toISOString()})`;
  })();
  return new AppError(batchErrors.MILLRACE_BATCH_STATE, `The batch "${origin.batch}" ${why}.`);
}
