import { describe, expect, it } from 'vitest';
import { AppError } from '../kernel/app-error.ts';
import { silentLogger } from '../telemetry/silent-logger.ts';
import { allowing, enforce, findFaults, type StartupFacts } from './startup-checks.ts';

const fine: StartupFacts = {
  queueWarnings: [],
  clocks: [{ name: 'PostgreSQL', skewMs: -1900 }],
  pendingMigrations: [],
  ledgerSettings: { fsync: 'on', synchronous_commit: 'on', full_page_writes: 'on' },
  usageTables: [{ name: 'usage', windowBlocks: 10_000 }],
  usageProblem: undefined,
  unknownVariables: [],
  stages: [{ name: 'answer', type: 'asked', acceptsAnything: false }],
  models: [{ reference: 'openai/gpt-5-mini', stage: 'answer', state: 'priced' }],
};

const codesOf = (facts: Partial<StartupFacts>): readonly string[] =>
  findFaults({ ...fine, ...facts }).map(({ severity, code }) => `${severity} ${code}`);

describe('the start-up checks', () => {
  it('find nothing where everything is as it should be', () => {
    expect(findFaults(fine)).toEqual([]);
  });

  it.each<[string, Partial<StartupFacts>, string]>([
    ['a queue that can lose jobs', { queueWarnings: ['no AOF'] }, 'warning queue_unsafe'],
    ['a clock that is off', { clocks: [{ name: 'Redis', skewMs: 2100 }] }, 'warning clocks_apart'],
    ['a clock that is far off', { clocks: [{ name: 'Redis', skewMs: -61_000 }] }, 'fatal clocks_apart'],
    ['pending migrations', { pendingMigrations: ['postgres/0009.sql'] }, 'fatal migrations_pending'],
    ['a ledger without fsync', { ledgerSettings: { fsync: 'off' } }, 'fatal ledger_unsafe'],
    ['commits that do not wait', { ledgerSettings: { synchronous_commit: 'off' } }, 'fatal ledger_unsafe'],
    [
      'a table without its window',
      { usageTables: [{ name: 'usage', windowBlocks: 0 }] },
      'fatal usage_deduplication_off',
    ],
    ['a ClickHouse that is away', { usageProblem: 'refused' }, 'warning usage_unreadable'],
    ['a variable of no setting', { unknownVariables: ['MILLRACE_HTPP_PORT'] }, 'warning variable_unknown'],
    [
      'a schema that takes anything',
      { stages: [{ name: 's', type: 't', acceptsAnything: true }] },
      'warning stage_without_schema',
    ],
    [
      'a model without a price',
      { models: [{ reference: 'a/b', stage: 's', state: 'unpriced' }] },
      'warning model_unpriced',
    ],
    [
      'a model nobody has',
      { models: [{ reference: 'a/b', stage: 's', state: 'unknown' }] },
      'warning model_unknown',
    ],
  ])('find %s', (_what, facts, expected) => {
    expect(codesOf(facts)).toEqual([expected]);
  });

  it('refuse a start with every fatal finding at once, fatal ones first, unless they are allowed', () => {
    const findings = findFaults({
      ...fine,
      queueWarnings: ['no AOF'],
      pendingMigrations: ['postgres/0009.sql'],
      ledgerSettings: { fsync: 'off' },
    });
    expect(findings.map(({ severity }) => severity)).toEqual(['fatal', 'fatal', 'warning']);
    const start = (): void => enforce(findings, silentLogger);
    expect(start).toThrow(AppError);
    expect(start).toThrow(/postgres\/0009\.sql.*fsync off/);
    const partly = allowing(findings, ['ledger_unsafe']);
    expect(() => enforce(partly, silentLogger)).not.toThrow(/fsync/);
    expect(() => enforce(allowing(partly, ['migrations_pending']), silentLogger)).not.toThrow();
  });
});
