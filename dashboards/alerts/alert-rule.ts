import type { boardUids } from '../board-links.ts';

/*
 * What the alerts are written in: alerts and recording rules as values, in groups. A group is a function of the rule
 * terms, so that thresholds and times come from one place and a test may run the very same rules faster.
 */

/** How soon somebody must look: now and at night, today, this week, never (the watchdog). */
export type Severity = 'critical' | 'warning' | 'info' | 'none';

type BoardUid = (typeof boardUids)[keyof typeof boardUids];

/** One alert. */
export interface Alert {
  readonly alert: string;
  readonly expr: string;
  /** How long the expression must hold, in minutes. Absent: it fires at once. */
  readonly forMinutes?: number;
  readonly severity: Severity;
  /** What is wrong, whatever the severity. Within one incident the worse alert silences the lesser one. */
  readonly incident: string;
  /** The labels of the expression's result, which say what the alert is about. */
  readonly identity: readonly string[];
  /** Labels that are made from others: a template each. */
  readonly labels?: Readonly<Record<string, string>>;
  /** One line for a pager. The only place where the value is shown. */
  readonly summary: string;
  /** What the summary means, and what is normal. */
  readonly description: string;
  readonly board: {
    readonly uid: BoardUid;
    /** Board variables set from the labels of the same name. */
    readonly variables?: readonly string[];
    /** Or a query of its own, as a template. */
    readonly query?: string;
  };
  /** File and heading under docs/runbooks/. */
  readonly runbook: `${string}.md#${string}`;
}

/** A series that rules and boards share. */
export interface Recording {
  readonly record: string;
  readonly expr: string;
}

/** Rules that are evaluated one after another. */
export interface RuleGroup {
  readonly name: string;
  readonly recordings?: readonly Recording[];
  readonly alerts: readonly Alert[];
}
