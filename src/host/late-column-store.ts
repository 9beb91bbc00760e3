import type { ColumnInsert, ColumnStore } from '../drivers/column-store/column-store.ts';
import { AppError } from '../kernel/app-error.ts';

/*
 * A column store whose schema is brought up to date when it is first used. A process starts while ClickHouse is away:
 * its export is tried again until it is back, its reports answer 503, and all its other work goes on.
 */

export class LateColumnStore implements ColumnStore {
  readonly #store: ColumnStore;
  readonly #migrate: (store: ColumnStore) => Promise<unknown>;
  #migrated: Promise<void> | undefined;

  constructor(store: ColumnStore, migrate: (store: ColumnStore) => Promise<unknown>) {
    this.#store = store;
    this.#migrate = migrate;
  }

  get kind(): ColumnStore['kind'] {
    return this.#store.kind;
  }

  get database(): string {
    return this.#store.database;
  }

  /** Brings the schema up to date unless the store is away; throws whatever else keeps it from that. */
  async tryToMigrate(): Promise<void> {
    try {
      await this.#ready();
    } catch (error) {
      const isAway = error instanceof AppError && error.code === 'MILLRACE_COLUMN_STORE_UNAVAILABLE';
      if (!isAway) throw error;
    }
  }

  async query<Row>(sql: string, parameters?: Readonly<Record<string, unknown>>): Promise<Row[]> {
    await this.#ready();
    return this.#store.query<Row>(sql, parameters);
  }

  async command(sql: string): Promise<void> {
    await this.#ready();
    await this.#store.command(sql);
  }

  async insert(insert: ColumnInsert): Promise<void> {
    await this.#ready();
    await this.#store.insert(insert);
  }

  ping(): Promise<void> {
    return this.#store.ping();
  }

  close(): Promise<void> {
    return this.#store.close();
  }

  /** Whoever comes while it is under way shares it; after a failure the next tries again. */
  #ready(): Promise<void> {
    this.#migrated ??= this.#migrate(this.#store).then(
      () => undefined,
      (error: unknown) => {
        this.#migrated = undefined;
        throw error;
      },
    );
    return this.#migrated;
  }
}
