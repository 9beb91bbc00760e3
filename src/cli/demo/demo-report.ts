import type { HostStatus } from '../../host/host-status.ts';
import type { ColumnStore } from '../../drivers/column-store/column-store.ts';
import { formatUsd, type Usd, zeroUsd } from '../../kernel/money.ts';
import type { CostFigures } from '../../capabilities/costs/cost-figures.ts';
import { type CostReport, runCostQuery } from '../../capabilities/costs/usage-queries.ts';
import {
  type ItemCost,
  readMostExpensiveItems,
  readOriginCoverage,
  readStageOutcomes,
  type StageOutcome,
} from './report-queries.ts';

/* What a run of the demo came to: three sums that must be one, and how they divide. */

/** A stage with what was spent in it. */
export interface StageReport extends StageOutcome {
  /** Messages that came to it. */
  readonly messages: number;
  readonly usd: Usd;
  readonly wasteUsd: Usd;
  readonly inputTokens: bigint;
  readonly outputTokens: bigint;
}

export interface DemoReport {
  readonly documents: number;
  readonly status: HostStatus;
  /** The simulated provider's own bill; absent with a real one. */
  readonly billedUsd: Usd | undefined;
  readonly ledgerUsd: Usd;
  readonly attributedUsd: Usd;
  /** What the bill can be at least and at most, for all the ledger knows. */
  readonly bounds: { readonly lowerUsd: Usd; readonly upperUsd: Usd };
  /** Steps answered from a recorded answer, as far as this process knows. */
  readonly reusedCalls: number;
  readonly originCoverage: number;
  readonly teams: CostReport;
  readonly stages: readonly StageReport[];
  readonly items: readonly ItemCost[];
  readonly seconds: number;
}

export interface ReportSources {
  readonly store: ColumnStore;
  readonly status: HostStatus;
  readonly billedUsd: Usd | undefined;
  readonly documents: number;
  readonly reusedCalls: number;
  /** The stages in the order in which work passes them. */
  readonly stageOrder: readonly string[];
  readonly seconds: number;
}

const shownItems = 10;
/** An average has no last digit; this many after the point. */
const averageDigits = 12;

/** Reads the report; everything that is settled must have been exported before. */
export async function collectReport(sources: ReportSources): Promise<DemoReport> {
  const { store, status, billedUsd, documents, reusedCalls, seconds } = sources;
  const [teams, stageCosts, outcomes, items, originCoverage] = await Promise.all([
    runCostQuery(store, { groupBy: ['team'] }),
    runCostQuery(store, { groupBy: ['stage'] }),
    readStageOutcomes(store),
    readMostExpensiveItems(store, shownItems),
    readOriginCoverage(store),
  ]);
  const { calls } = status;
  const reportedUsd = calls.settledUsd.minus(calls.estimatedUsd);
  return {
    documents,
    status,
    billedUsd,
    ledgerUsd: calls.settledUsd,
    attributedUsd: teams.total.costUsd,
    bounds: {
      lowerUsd: reportedUsd,
      upperUsd: reportedUsd.plus(calls.estimatedUpperUsd).plus(calls.openUpperUsd),
    },
    reusedCalls,
    originCoverage,
    teams,
    stages: sources.stageOrder.map((stage) => stageReport(stage, { status, outcomes, stageCosts })),
    items,
    seconds,
  };
}

function stageReport(
  stage: string,
  known: {
    readonly status: HostStatus;
    readonly outcomes: readonly StageOutcome[];
    readonly stageCosts: CostReport;
  },
): StageReport {
  const none = { stage, succeeded: 0, failedAttempts: 0, deadLettered: 0, p50Ms: 0, p95Ms: 0, p99Ms: 0 };
  const outcome = known.outcomes.find((candidate) => candidate.stage === stage) ?? none;
  const counts = known.status.stages.find((candidate) => candidate.stage === stage)?.messages;
  const spent: CostFigures | undefined = known.stageCosts.groups.find(({ group }) => group.stage === stage);
  return {
    ...outcome,
    messages: counts === undefined ? 0 : sumOfCounts(counts),
    usd: spent?.costUsd ?? zeroUsd,
    wasteUsd: spent?.wasteUsd ?? zeroUsd,
    inputTokens: spent?.inputTokens ?? 0n,
    outputTokens: spent?.outputTokens ?? 0n,
  };
}

/** What a success of a stage cost on average, rounded in the twelfth digit. */
export function usdPerSuccess({ usd, succeeded }: StageReport): Usd {
  return succeeded === 0 ? zeroUsd : usd.dividedBy(succeeded).toDecimalPlaces(averageDigits);
}

/** The report as the one object that `--json` prints. Amounts are exact decimals in strings. */
export function reportDocument(report: DemoReport): Record<string, unknown> {
  const { status, billedUsd, bounds } = report;
  const { messages, calls } = status;
  const unsettled = calls.unsettled + calls.reserved;
  return {
    documents: report.documents,
    messages: {
      admitted: sumOfCounts(messages),
      completed: messages.completed,
      deadLettered: messages.dead_lettered,
      cancelled: messages.cancelled,
      pending: messages.pending + messages.leased,
    },
    calls: {
      total: calls.calls,
      settled: calls.calls - unsettled,
      failed: calls.failed,
      unsettled,
      reused: report.reusedCalls,
    },
    billedUsd: billedUsd === undefined ? null : formatUsd(billedUsd),
    ledgerUsd: formatUsd(report.ledgerUsd),
    attributedUsd: formatUsd(report.attributedUsd),
    bounds: { lowerUsd: formatUsd(bounds.lowerUsd), upperUsd: formatUsd(bounds.upperUsd) },
    estimated: calls.estimated,
    originCoverage: report.originCoverage,
    byTeam: report.teams.groups.map(
      ({ group, costUsd, calls: count, inputTokens, outputTokens, messages: ofTeam }) => ({
        team: group.team,
        usd: formatUsd(costUsd),
        calls: count,
        inputTokens: Number(inputTokens),
        outputTokens: Number(outputTokens),
        messages: ofTeam ?? 0,
      }),
    ),
    byStage: report.stages.map((stage) => ({
      stage: stage.stage,
      succeeded: stage.succeeded,
      failed: stage.failedAttempts,
      deadLettered: stage.deadLettered,
      p50Ms: stage.p50Ms,
      p95Ms: stage.p95Ms,
      p99Ms: stage.p99Ms,
      usdPerSuccess: formatUsd(usdPerSuccess(stage)),
      wasteUsd: formatUsd(stage.wasteUsd),
    })),
    seconds: report.seconds,
  };
}

function sumOfCounts(counts: HostStatus['messages']): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}
