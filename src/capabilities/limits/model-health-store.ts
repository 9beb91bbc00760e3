import type { SqlDatabase } from '../../drivers/sql-database/sql-database.ts';
import { invariant } from '../../kernel/invariant.ts';
import {
  type Circuit,
  type CircuitCounts,
  type CircuitEvent,
  type CircuitSettings,
  type CircuitState,
  nextCircuit,
  openDurationMs,
} from './circuit.ts';
import * as sql from './model-health-sql.ts';

/** A model by the configured name of its provider and its own. */
export interface ModelName {
  readonly provider: string;
  readonly model: string;
}

/** What was counted about a model since the last time; counts may be negative where something is taken back. */
export interface ModelCount extends ModelName, CircuitCounts {
  /** The window that is meant; absent for the present one. */
  readonly windowStart: Date | undefined;
  readonly firsts: number;
  readonly retries: number;
}

/** A circuit as the ledger holds it. */
export interface StoredCircuit {
  readonly circuit: Circuit;
  /** Rises with every change; 0 for a model that never was in trouble. */
  readonly version: number;
  /** When it last opened, which names the period that probes belong to. */
  readonly openedAt: Date | undefined;
  /** How long it is open yet. */
  readonly remainingMs: number;
}

/** How a model is doing, all processes together. */
export interface ModelReading extends ModelName, StoredCircuit {
  readonly counts: CircuitCounts;
  readonly firsts: number;
  readonly retries: number;
  /** Since the latest probe was taken. */
  readonly sinceProbeMs: number;
}

export interface RetryBudgetSettings {
  /** Retries over first attempts, from 0. */
  readonly share: number;
  /** Retries that are permitted anyway. */
  readonly floor: number;
  readonly windowMs: number;
}

/** What must still hold for a change to count: the version that was judged, or the period of a probe. */
export interface ChangeCondition {
  readonly version?: number;
  readonly openedAt?: Date;
}

/** A circuit that is not closed, for people. */
export interface TroubledModel extends ModelName {
  readonly state: CircuitState;
  readonly opens: number;
  readonly reason: string;
  readonly changedAt: Date;
  readonly remainingMs: number;
}

export interface CircuitChange {
  readonly event: CircuitEvent;
  readonly condition: ChangeCondition;
  /** Written down when the state changes. */
  readonly reason: string;
}

interface CircuitRow {
  readonly state: CircuitState;
  readonly opens: number;
  readonly probes_out: number;
  readonly probe_successes: number;
  readonly version: number;
  readonly opened_at: Date | null;
  readonly remaining_ms: number;
}

interface ReadingRow extends CircuitRow {
  readonly provider: string;
  readonly model: string;
  readonly since_probe_ms: number;
  readonly successes: number;
  readonly failures: number;
  readonly timeouts: number;
  readonly firsts: number;
  readonly retries: number;
}

/** Circuits, counts and retry budgets in the ledger's database, where all processes share them. */
export class ModelHealthStore {
  readonly #database: SqlDatabase;

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  /** Adds counts and reads how every model is doing; the sums are those from before, without what this call adds. */
  async count(
    counts: readonly ModelCount[],
    spans: { readonly circuitMs: number; readonly retriesMs: number },
  ): Promise<readonly ModelReading[]> {
    const told = counts.map(({ windowStart, ...count }) => ({
      ...count,
      window_start: windowStart?.toISOString(),
    }));
    const { rows } = await this.#database.query<ReadingRow>(sql.countModels, [
      JSON.stringify(told),
      spans.circuitMs,
      spans.retriesMs,
    ]);
    return rows.map((row) => ({
      provider: row.provider,
      model: row.model,
      ...storedCircuit(row),
      counts: { successes: row.successes, failures: row.failures, timeouts: row.timeouts },
      firsts: row.firsts,
      retries: row.retries,
      sinceProbeMs: row.since_probe_ms,
    }));
  }

  /**
   * Lets an event happen to a model's circuit, one at a time over all processes. Undefined when it changes nothing: the
   * condition does not hold any more, or the circuit does not mind.
   */
  change(
    { provider, model }: ModelName,
    { event, condition, reason }: CircuitChange,
    settings: CircuitSettings,
  ): Promise<StoredCircuit | undefined> {
    return this.#database.transaction(async (transaction) => {
      const locked = await transaction.query<CircuitRow>(sql.lockCircuit, [provider, model]);
      const before = firstCircuit(locked.rows);
      if (!holds(condition, before)) return undefined;
      const next = nextCircuit(before.circuit, event, settings);
      if (next === undefined) return undefined;
      const hasTurned = next.state !== before.circuit.state;
      const { rows } = await transaction.query<CircuitRow>(sql.writeCircuit, [
        provider,
        model,
        next.state,
        next.opens,
        next.probesOut,
        next.probeSuccesses,
        hasTurned && next.state === 'open' ? openDurationMs(next.opens, settings) : null,
        event.kind === 'probe_wanted',
        hasTurned ? reason : null,
      ]);
      if (next.state === 'closed') await transaction.query(sql.forgetOutcomes, [provider, model]);
      return firstCircuit(rows);
    });
  }

  /** Permits at most so many retries of a model, never more than its budget has left, and counts them. */
  grantRetries(
    { provider, model }: ModelName,
    wanted: number,
    { floor, share, windowMs }: RetryBudgetSettings,
  ): Promise<{ readonly permitted: number; readonly windowStart: Date }> {
    return this.#database.transaction(async (transaction) => {
      await transaction.query(sql.lockRetries, [`${provider}/${model}`]);
      const { rows } = await transaction.query<{ retries: number; window_start: Date }>(sql.grantRetries, [
        provider,
        model,
        wanted,
        floor,
        share,
        windowMs,
      ]);
      const [row] = rows;
      return { permitted: row?.retries ?? 0, windowStart: row?.window_start ?? new Date(0) };
    });
  }

  /** The circuits that are not closed. */
  async troubled(): Promise<readonly TroubledModel[]> {
    const { rows } = await this.#database.query<{
      provider: string;
      model: string;
      state: CircuitState;
      opens: number;
      reason: string;
      changed_at: Date;
      remaining_ms: number;
    }>(sql.listTroubled);
    return rows.map(({ changed_at: changedAt, remaining_ms: remainingMs, ...rest }) => ({
      ...rest,
      changedAt,
      remainingMs,
    }));
  }
}

function storedCircuit(row: CircuitRow): StoredCircuit {
  return {
    circuit: {
      state: row.state,
      opens: row.opens,
      probesOut: row.probes_out,
      probeSuccesses: row.probe_successes,
    },
    version: row.version,
    openedAt: row.opened_at ?? undefined,
    remainingMs: row.remaining_ms,
  };
}

function firstCircuit(rows: readonly CircuitRow[]): StoredCircuit {
  const [row] = rows;
  invariant(row !== undefined, 'a circuit that was locked or written is there');
  return storedCircuit(row);
}

function holds({ version, openedAt }: ChangeCondition, stored: StoredCircuit): boolean {
  return (
    (version === undefined || version === stored.version) &&
    (openedAt === undefined || openedAt.getTime() === stored.openedAt?.getTime())
  );
}
