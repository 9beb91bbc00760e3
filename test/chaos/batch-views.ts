import type { BillEntry } from '../../src/simulator/bill.ts';
import type { BatchReading, BatchRow, BatchRunEvidence, ExpectedItem, ItemRow } from './batch-evidence.ts';
import {
  batchActor,
  type PlannedBatch,
  type PlannedItem,
  plannedBatches,
  type Steering,
} from './batch-workload.ts';
import type { CallEvidence, Evidence, MessageEvidence } from './evidence.ts';
import { groupedBy, InvariantCheck, type InvariantResult } from './invariant-check.ts';

/* The evidence of each batch and item of a run, put together from the ledger, the bill and the plan. */

export interface ItemView {
  readonly planned: PlannedItem;
  readonly row: ItemRow | undefined;
  readonly expected: ExpectedItem | undefined;
  /** Of its last run: the message that was admitted, and what followed. */
  readonly messages: readonly MessageEvidence[];
  /** Of all its runs. */
  readonly calls: readonly CallEvidence[];
  /** The calls whose answers its last run used: of each place the latest good one. */
  readonly used: readonly CallEvidence[];
  /** An operator had a dead letter of it live again by itself, which is no matter of the batch. */
  readonly isTouched: boolean;
}

export interface BatchView {
  readonly planned: PlannedBatch;
  readonly row: BatchRow | undefined;
  readonly items: readonly ItemView[];
  readonly reading: BatchReading | undefined;
  /** How often an operator asked for it, whether it was done or not: an answer can be lost. */
  readonly asked: Readonly<Record<Steering, number>>;
}

export interface BatchEvidenceViews {
  readonly run: BatchRunEvidence;
  readonly batches: readonly BatchView[];
  readonly billsOf: ReadonlyMap<string, readonly BillEntry[]>;
}

/** An invariant about batches, which a run without any leaves unchecked. */
export function checkedBatches(
  evidence: Evidence,
  { name, says }: { readonly name: string; readonly says: string },
  look: (check: InvariantCheck, views: BatchEvidenceViews) => void,
): InvariantResult {
  const check = new InvariantCheck(name, says);
  const { batchRun } = evidence;
  if (batchRun === undefined) return { ...check.result, unchecked: 'no batches were submitted' };
  look(check, viewsOf(evidence, batchRun));
  return check.result;
}

function viewsOf(evidence: Evidence, run: BatchRunEvidence): BatchEvidenceViews {
  const { seed, batches: left, messages, calls, replays, bill } = evidence;
  const rowOf = new Map(left.rows.map((row) => [row.name, row]));
  const itemRowOf = new Map(left.items.map((row) => [row.item_id, row]));
  const rootsOf = groupedBy(messages, ({ parent_id: parent, event_id: event }) =>
    parent === null ? event : null,
  );
  const treeOf = groupedBy(messages, ({ root_id: root }) => root);
  const callsOf = groupedBy(calls, ({ message_id: id }) => id);
  const touched = new Set(replays.flatMap(({ message_id: id, actor }) => (actor === batchActor ? [] : [id])));
  const itemView = (planned: PlannedItem): ItemView => {
    const row = itemRowOf.get(planned.id);
    const roots = rootsOf.get(planned.id) ?? [];
    const trees = roots.flatMap(({ id }) => treeOf.get(id) ?? []);
    const own = trees.filter(({ root_id: root }) => root === row?.message_id);
    return {
      planned,
      row,
      expected: run.expected[planned.id],
      messages: own,
      calls: trees.flatMap(({ id }) => callsOf.get(id) ?? []),
      used: own.flatMap(({ id }) => usedOf(callsOf.get(id) ?? [])),
      isTouched: trees.some(({ id }) => touched.has(id)),
    };
  };
  const asked = (index: number, what: Steering): number =>
    run.steered.filter((step) => step.batch === index && step.what === what).length;
  return {
    run,
    batches: plannedBatches(seed, run.messages).map((planned) => ({
      planned,
      row: rowOf.get(planned.name),
      items: planned.items.map(itemView),
      reading: run.readings.find(({ batch }) => batch === planned.index),
      asked: {
        pause: asked(planned.index, 'pause'),
        resume: asked(planned.index, 'resume'),
        cancel: asked(planned.index, 'cancel'),
        retry: asked(planned.index, 'retry'),
      },
    })),
    billsOf: groupedBy(bill, ({ callId }) => callId),
  };
}

function usedOf(calls: readonly CallEvidence[]): readonly CallEvidence[] {
  const good = calls.filter(
    ({ state, outcome, has_answer: hasAnswer }) => state === 'settled' && outcome === 'ok' && hasAnswer,
  );
  const places = groupedBy(good, ({ step, ordinal }) => `${step}/${ordinal}`);
  return [...places.values()].flatMap((made) => made.toSorted(byLatest).slice(0, 1));
}

function byLatest(left: CallEvidence, right: CallEvidence): number {
  return (
    right.attempt - left.attempt ||
    (right.fencing_token ?? 0) - (left.fencing_token ?? 0) ||
    (left.id < right.id ? 1 : -1)
  );
}
