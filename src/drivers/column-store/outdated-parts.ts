import type { ColumnStore } from './column-store.ts';

/*
 * Every insert makes a part, and merges leave the old parts behind, each with some 150 KB of memory for its columns and
 * projections, until the engine removes them: every 30 s to 300 s, or when a table has 300. At two inserts a second that
 * is up to 100 MB, too much for an engine that shares a process. chDB reads these settings from the table alone.
 */

const settings = {
  cleanup_delay_period: 5,
  max_cleanup_delay_period: 10,
  cleanup_delay_period_random_add: 1,
  // The old parts were what a loss of power left to read when the merged part had not reached the disk.
  min_rows_to_fsync_after_merge: 1,
} as const;

const assignments = Object.entries(settings).map(([name, value]) => `${name} = ${value}`);

/** Lets chDB remove outdated parts within seconds, in every table that is there; a table that does so already is left as it is. */
export async function removeOutdatedPartsSoon(store: ColumnStore): Promise<void> {
  const isSet = assignments.map((assignment) => `position(engine_full, '${assignment}') > 0`).join(' AND ');
  const tables = await store.query<{ readonly name: string }>(
    `SELECT name FROM system.tables WHERE database = {database:String} AND endsWith(engine, 'MergeTree') AND NOT (${isSet})`,
    { database: store.database },
  );
  for (const { name } of tables)
    await store.command(`ALTER TABLE ${store.database}.${name} MODIFY SETTING ${assignments.join(', ')}`);
}
