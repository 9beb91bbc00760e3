import type { ColumnStore } from '../drivers/column-store/column-store.ts';
import type { SqlDatabase } from '../drivers/sql-database/sql-database.ts';
import type { StageDefinition } from '../engine/pipeline/stage-definition.ts';
import type { ProviderRegistry } from '../engine/providers/provider-registry.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Pricer } from '../pricing/price.ts';

/** One thing that is not as it should be. */
export interface StartupFinding<Code extends string = string> {
  readonly code: Code;
  /** Fatal is what would break a promise for certain and quietly; an operator may allow it by its code. */
  readonly severity: 'fatal' | 'warning';
  readonly what: string;
  /** What to do about it. */
  readonly todo: string;
}

/** What a check before a start may look at; it changes nothing. */
export interface CheckSources<Settings> {
  readonly settings: Settings;
  readonly database: SqlDatabase;
  readonly columns: ColumnStore;
  readonly clock: Clock;
  readonly definitions: readonly StageDefinition[];
  readonly providers: ProviderRegistry;
  readonly pricer: Pricer;
}

/** Looks for what would break a promise, before anything is claimed and for `millrace check`. */
export type StartupCheck<Settings = never, Code extends string = string> = (
  sources: CheckSources<Settings>,
) => Promise<readonly StartupFinding<Code>[]>;
