import { missingProviderAdvice } from '../engine/providers/missing-provider.ts';
import type { ModelState } from '../engine/providers/model-state.ts';
import { AppError } from '../kernel/app-error.ts';
import type { StartupFinding } from '../capabilities/startup-check.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { FindingCode } from './closed-names.ts';

/*
 * What could break a promise before the first message is taken, as a list: pure, from facts that startup-facts.ts
 * reads. Fatal is what would break one for certain and quietly; an operator may allow it by its code.
 */

/** One thing that is not as it should be. */
export type HostFinding = StartupFinding<FindingCode>;

/** What is so, as far as it could be read. */
export interface StartupFacts {
  /** What the queue's store says against itself. */
  readonly queueWarnings: readonly string[];
  /** How far other clocks are from this process's, at least. */
  readonly clocks: readonly { readonly name: string; readonly skewMs: number }[];
  readonly pendingMigrations: readonly string[];
  /** PostgreSQL's settings that durability rests on, by name. */
  readonly ledgerSettings: Readonly<Record<string, string>>;
  /** Tables of usage records, and how many insert blocks each remembers. */
  readonly usageTables: readonly { readonly name: string; readonly windowBlocks: number }[];
  /** Why the column store's state could not be read. */
  readonly usageProblem: string | undefined;
  /** Variables of the environment that look like settings and are none. */
  readonly unknownVariables: readonly string[];
  readonly stages: readonly {
    readonly name: string;
    readonly type: string;
    readonly acceptsAnything: boolean;
  }[];
  readonly models: readonly {
    readonly reference: string;
    readonly stage: string;
    readonly state: ModelState;
  }[];
}

const clockWarningMs = 2000;
const clockFatalMs = 60_000;

/** Everything that is not as it should be, fatal things first. */
export function findFaults(facts: StartupFacts): readonly HostFinding[] {
  const findings = [
    ...facts.queueWarnings.map((what): HostFinding => {
      return { code: 'queue_unsafe', severity: 'warning', what, todo: 'Set the store as it says.' };
    }),
    ...facts.clocks.flatMap((clock) => clockFinding(clock)),
    ...migrationFinding(facts.pendingMigrations),
    ...ledgerFindings(facts.ledgerSettings),
    ...usageFindings(facts),
    ...facts.unknownVariables.map((name): HostFinding => {
      const what = `No setting has the environment variable ${name}: it is without effect.`;
      return { code: 'variable_unknown', severity: 'warning', what, todo: 'Correct its name, or remove it.' };
    }),
    ...facts.stages.filter(({ acceptsAnything }) => acceptsAnything).map((stage) => schemaFinding(stage)),
    ...facts.models.flatMap((model) => modelFinding(model)),
  ];
  return findings.toSorted((left, right) => rank(left) - rank(right));
}

/** The findings with those that an operator allows as warnings. */
export function allowing(
  findings: readonly HostFinding[],
  allowed: readonly FindingCode[],
): readonly HostFinding[] {
  return findings
    .map((finding) =>
      allowed.includes(finding.code) ? { ...finding, severity: 'warning' as const } : finding,
    )
    .toSorted((left, right) => rank(left) - rank(right));
}

/** Logs every finding. Throws MILLRACE_STARTUP_REFUSED with all fatal ones. */
export function enforce(findings: readonly HostFinding[], logger: Logger): void {
  for (const { severity, ...finding } of findings) {
    if (severity === 'fatal') logger.error(finding, 'a start-up check fails');
    else logger.warn(finding, 'a start-up check warns');
  }
  const fatal = findings.filter(({ severity }) => severity === 'fatal');
  if (fatal.length === 0) return;
  throw new AppError(
    'MILLRACE_STARTUP_REFUSED',
    `Starting would break a promise: ${fatal.map(({ code, what }) => `${what} (${code})`).join(' ')}`,
    { faults: fatal.map(({ code, what, todo }) => ({ field: code, problem: `${what} ${todo}` })) },
  );
}

function rank({ severity }: HostFinding): number {
  return severity === 'fatal' ? 0 : 1;
}

function clockFinding({ name, skewMs }: StartupFacts['clocks'][number]): HostFinding[] {
  const apart = Math.abs(skewMs);
  if (apart <= clockWarningMs) return [];
  return [
    {
      code: 'clocks_apart',
      severity: apart > clockFatalMs ? 'fatal' : 'warning',
      what: `The clock of ${name} is ${(apart / 1000).toFixed(1)} s ${skewMs > 0 ? 'ahead of' : 'behind'} this process's.`,
      todo: 'Synchronise both machines with NTP: prices are found and reports are cut by the time of a call.',
    },
  ];
}

function migrationFinding(pending: readonly string[]): HostFinding[] {
  if (pending.length === 0) return [];
  return [
    {
      code: 'migrations_pending',
      severity: 'fatal',
      what: `Migrations are not applied: ${pending.join(', ')}.`,
      todo: 'Run "millrace migrate", or set startup.migrate.',
    },
  ];
}

const losses: Readonly<Record<string, string>> = {
  fsync: 'a crash of its machine can damage the ledger',
  synchronous_commit: 'a crash loses messages and money that were acknowledged',
  full_page_writes: 'a crash can leave torn pages in the ledger',
};

function ledgerFindings(settings: Readonly<Record<string, string>>): HostFinding[] {
  return Object.entries(losses).flatMap(([name, loss]): HostFinding[] =>
    settings[name] === 'off'
      ? [
          {
            code: 'ledger_unsafe',
            severity: 'fatal',
            what: `PostgreSQL runs with ${name} off: ${loss}.`,
            todo: `Set ${name} = on.`,
          },
        ]
      : [],
  );
}

function usageFindings({ usageTables, usageProblem }: StartupFacts): HostFinding[] {
  if (usageProblem !== undefined) {
    return [
      {
        code: 'usage_unreadable',
        severity: 'warning',
        what: `ClickHouse could not be queried: ${usageProblem}`,
        todo: 'Check that it runs; usage records wait in the ledger until it does.',
      },
    ];
  }
  return usageTables
    .filter(({ windowBlocks }) => windowBlocks === 0)
    .map(({ name }) => ({
      code: 'usage_deduplication_off',
      severity: 'fatal',
      what: `The ClickHouse table ${name} remembers no inserts: a repeated export would be counted twice.`,
      todo: 'Set non_replicated_deduplication_window (replicated_deduplication_window in a cluster) as in clickhouse/migrations.',
    }));
}

function schemaFinding({ name, type }: StartupFacts['stages'][number]): HostFinding {
  return {
    code: 'stage_without_schema',
    severity: 'warning',
    what: `Stage "${name}" takes anything: the schema of "${type}" refuses nothing.`,
    todo: 'Give the message type a schema of what the handler reads.',
  };
}

function modelFinding({ reference, stage, state }: StartupFacts['models'][number]): HostFinding[] {
  switch (state) {
    case 'priced':
      return [];
    case 'unpriced':
      return [
        {
          code: 'model_unpriced',
          severity: 'warning',
          what: `No price is known for ${reference}, which stage "${stage}" declares: its calls would be unpriced.`,
          todo: 'Add it to the price overlay (docs/prices.md).',
        },
      ];
    case 'unknown':
      return [
        {
          code: 'model_unknown',
          severity: 'warning',
          what: `${reference}, which stage "${stage}" declares, is no model of a configured provider.`,
          todo: missingProviderAdvice(reference.split('/', 1)[0] ?? ''),
        },
      ];
  }
}
