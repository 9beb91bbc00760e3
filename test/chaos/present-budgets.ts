import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { raisedMark, raisedUsd, scarceBudget } from './chaos-settings.ts';
import { wrappedDatabase } from './wrapped-database.ts';

/*
 * Hosts define the budgets of their configuration when they start, and the last one counts. One that read its
 * configuration before the limit was raised must not lower it again: what counts is read when the definition is written.
 */

export function raiseBudget(directory: string): void {
  writeFileSync(join(directory, raisedMark), '');
}

/** The database to which budgets are told with the limits that are configured at that moment. */
export function withPresentBudgets(database: SqlDatabase, directory: string): SqlDatabase {
  return wrappedDatabase(database, (inner) => ({
    query: (statement, parameters) =>
      inner.query(
        statement,
        statement.name === 'ledger.define_budgets' ? presentLimits(parameters, directory) : parameters,
      ),
    execute: (script) => inner.execute(script),
  }));
}

function presentLimits(parameters: readonly unknown[] | undefined, directory: string): readonly unknown[] {
  const budgets = JSON.parse(String(parameters?.[0])) as { name: string; limit_amount: string }[];
  const isRaised = existsSync(join(directory, raisedMark));
  return [
    JSON.stringify(
      budgets.map((budget) =>
        isRaised && budget.name === scarceBudget ? { ...budget, limit_amount: raisedUsd } : budget,
      ),
    ),
  ];
}
