import type { SqlDatabase } from '../../drivers/sql-database/sql-database.ts';
import { readScheduleGauges } from './run-sql.ts';
import type { ScheduleMetrics } from './schedule-metrics.ts';

interface GaugeRow {
  readonly total: number;
  readonly paused: number;
  readonly failing: number;
  readonly ended: number;
  readonly unplanned_seconds: number;
  readonly unstarted_seconds: number;
}

/** What is shown of schedules at a scrape. */
export class ScheduleGauges {
  readonly #database: SqlDatabase;
  readonly #metrics: ScheduleMetrics;
  #total = 0;

  constructor(database: SqlDatabase, metrics: ScheduleMetrics) {
    this.#database = database;
    this.#metrics = metrics;
  }

  /** How many schedules there were at the last reading. */
  get total(): number {
    return this.#total;
  }

  async read(): Promise<void> {
    const { rows } = await this.#database.query<GaugeRow>(readScheduleGauges);
    const [row] = rows;
    if (row === undefined) return;
    const { total, paused, failing, ended } = row;
    this.#total = total;
    const active = total - paused - failing - ended;
    for (const [state, count] of Object.entries({ active, paused, failing, ended } as const))
      this.#metrics.set('schedules', { state: state as 'active' }, count);
    const overdue = Math.max(0, row.unplanned_seconds, row.unstarted_seconds);
    this.#metrics.set('schedules_overdue_seconds', {}, overdue);
  }
}
