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
const generatedNote = '# Generated from dashboards/alerts/ by `npm run boards:generate`. Do not edit.\n';

/** One group as Prometheus reads it. */
export function ruleFile(group: RuleGroup, links: AlertLinks, timeScale = 1): string {
  return generatedNote + stringify({ groups: [groupOf(group, links, timeScale)] }, { lineWidth: 0 });
}

/** All groups as the Prometheus operator reads them. */
export function prometheusRule(groups: readonly RuleGroup[], links: AlertLinks): string {
  const manifest = {
    apiVersion: 'monitoring.coreos.com/v1',
    kind: 'PrometheusRule',
    metadata: { name: 'millrace' },
    spec: { groups: groups.map((group) => groupOf(group, links, 1)) },
  };
  return generatedNote + stringify(manifest, { lineWidth: 0 });
}

function groupOf(group: RuleGroup, links: AlertLinks, timeScale: number): object {
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
  return { name: group.name, interval: terms.minutes(evaluationMinutes), rules };
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
