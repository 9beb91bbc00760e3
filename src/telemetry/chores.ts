/** What every process does over and over beside its work; docs/runbooks/chores.md says what stands still without each. */
export const choreNames = [
  'sweep',
  'export',
  'budget_releases',
  'keep_holds',
  'ledger_counts',
  'abandoned_calls',
  'spend_baseline',
  'retention',
  'payloads',
  'erasures',
  'gauges',
  'stage_ends',
  'budgets',
  'watch_holds',
  'watch_cancels',
  'concurrency',
  'model_health',
  'clock',
] as const;
export type ChoreName = (typeof choreNames)[number];

/** Chores without which messages stand still that nothing else moves. */
export const vitalChores: readonly ChoreName[] = ['sweep', 'budget_releases', 'keep_holds'];
