import type { SqlDatabase, SqlStatement } from '../../drivers/sql-database/sql-database.ts';
import { partsOfWaitName } from './wait-name.ts';
import { listDue, listPutOff, listSetAside, maxCounted } from './wait-sql.ts';

/** Messages that wait for the same thing. */
export interface Waiting {
  /** The kind of what they wait for: "pause", "rate_limit", "order", … */
  readonly reason: string;
  /** Which one: a block's id, "provider/model", a failure's code, a stage. */
  readonly about: string | undefined;
  readonly messages: number;
  /** True when there are more, which were not counted. */
  readonly isAtLeast: boolean;
  /** Since when the first of them waits. */
  readonly since: Date;
  /** When the first of them is tried again; undefined when only a change lets them go. */
  readonly until: Date | undefined;
  readonly stages: readonly string[];
}

interface WaitingRow {
  readonly name: string;
  readonly messages: number;
  readonly since: Date;
  readonly until: Date | null;
  readonly stages: readonly string[];
}

/** Why pending messages are not worked on, as their rows say it. */
export class Waits {
  readonly #database: SqlDatabase;

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  /** What messages wait for, and how many, over all stages. At most 100 things of each kind and 10,000 messages of each are looked at. */
  async list(): Promise<readonly Waiting[]> {
    const [setAside, putOff] = await Promise.all([this.#read(listSetAside), this.#read(listPutOff)]);
    return [...setAside, ...putOff];
  }

  /** Of these stages the messages that are due, and wait for a worker. */
  listDue(stages: readonly string[]): Promise<readonly Waiting[]> {
    return this.#read(listDue, [stages]);
  }

  async #read(statement: SqlStatement, parameters: readonly unknown[] = []): Promise<readonly Waiting[]> {
    const { rows } = await this.#database.query<WaitingRow>(statement, parameters);
    return rows.map(({ name, messages, since, until, stages }) => ({
      ...partsOfWaitName(name),
      messages: Math.min(messages, maxCounted),
      isAtLeast: messages > maxCounted,
      since,
      until: until ?? undefined,
      stages,
    }));
  }
}
