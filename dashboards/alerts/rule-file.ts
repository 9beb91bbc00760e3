import { stringify } from 'yaml';
import type { Alert, RuleGroup } from './alert-rule.ts';
import { RuleTerms } from './rule-terms.ts';

/** Where the links of alerts lead. */
export interface AlertLinks {
  /** Grafana's address, without a slash at its end. */
  readonly grafanaUrl: string;
  /** The address under which docs/runbooks/ is read, without a slash at its end. */
  readonly runbooksUrl: string;
}

const evaluationMinutes = 0.5;

/** One group as Prometheus reads it. */
export function ruleFile(group: RuleGroup, links: AlertLinks, timeScale = 1): string {
  const terms = new RuleTerms(timeScale);
  const rules = [
    ...(group.recordings ?? []).map(({ record, expr }) => ({ record, expr })),
    ...group.alerts.map((alert) => ({
      alert: alert.alert,
      expr: alert.expr,
      ...(alert.forMinutes === undefined ? {} : { for: terms.minutes(alert.forMinutes) }),
      labels: { severity: alert.severity, incident: alert.incident, ...alert.labels },
      annotations: annotationsOf(alert, links),
    })),
  ];
  const head = '# Generated from dashboards/alerts/ by `npm run boards:generate`. Do not edit.\n';
  const groups = [{ name: group.name, interval: terms.minutes(evaluationMinutes), rules }];
  return head + stringify({ groups }, { lineWidth: 0 });
}

/** What a receiver shows of an alert, as templates. */
export function annotationsOf(alert: Alert, { grafanaUrl, runbooksUrl }: AlertLinks): Record<string, string> {
  const { uid, variables = [], query = variables.map(boardVariable).join('&') } = alert.board;
  return {
    summary: alert.summary,
    description: alert.description,
    dashboard_url: `${grafanaUrl}/d/${uid}${query === '' ? '' : `?${query}`}`,
    runbook_url: `${runbooksUrl}/${alert.runbook}`,
  };
}

const boardVariable = (name: string): string => `var-${name}={{ $labels.${name} | urlquery }}`;
