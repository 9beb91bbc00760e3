import { markdownTable } from '../../scripts/markdown-table.ts';
import type { Alert, RuleGroup } from './alert-rule.ts';

/** docs/alerts.md: every alert, when it fires, and what to read. */
export function alertsDocument(groups: readonly RuleGroup[]): string {
  const alerts = groups.flatMap((group) => group.alerts);
  const rows = alerts.map((alert) => [
    `\`${alert.alert}\``,
    alert.severity,
    alert.incident,
    [`${plain(alert.summary)}.`, plain(alert.description)].join(' '),
    alert.forMinutes === undefined ? 'at once' : `${alert.forMinutes} min`,
    runbook(alert),
  ]);
  return `# Alerts

<!-- Generated from dashboards/alerts/ and the *.alerts.ts of capabilities by \`npm run boards:generate\`. Do not edit. -->

Prometheus evaluates them, Alertmanager notifies people. Thresholds are in \`dashboards/thresholds.ts\`, which the boards read too; rules about what a capability does are in its folder (\`src/capabilities/*/*.alerts.ts\`), all others in \`dashboards/alerts/\`.
Generated and committed: \`dashboards/generated/prometheus/\` and \`dashboards/generated/alertmanager/\`.

${markdownTable(['Alert', 'Severity', 'Incident', 'Meaning', 'Holds for', 'Runbook'], rows)}
\`critical\`: look now, also at night. \`warning\`: today. \`info\`: this week. \`none\`: the watchdog, which always fires.
Within one incident the worse alert silences the lesser ones about the same thing. While a stage is paused for long, nothing about its backlog is sent.

## Who receives alerts

\`dashboards/owners.yml\` says it; run \`npm run boards:generate\` after a change, and let Alertmanager reload.

| field | meaning |
| --- | --- |
| \`grafanaUrl\`, \`runbooksUrl\` | where the links in alerts lead |
| \`channels\` | ways to reach people, by name: \`webhook\` (\`url\`, \`tokenFile\`), \`slack\` (\`channel\`, \`apiUrlFile\`), \`email\` (\`to\`, \`from\`, \`smarthost\`, \`username\`, \`passwordFile\`), \`pagerduty\` (\`routingKeyFile\`) |
| \`onCall\` | channels for everything critical |
| \`deadMan\` | channels for the watchdog: it is sent every 5 minutes; they must raise the alarm when it stops |
| \`platform\` | channels for what belongs to no team |
| \`teams\` | channels by team: alerts about stages whose \`owner\` it is, and about its budgets and spend |

Fields that end in \`File\` are absolute paths on Alertmanager's machine; no secret stands in the configuration. A critical alert goes to on-call and to its team.
`;
}

function runbook({ runbook: target }: Alert): string {
  return `[${target}](runbooks/${target})`;
}

/** A template's text, with the labels' names in place of their values. */
function plain(template: string): string {
  return template
    .replaceAll(/\{\{ \$labels\.(\w+) \}\}/g, '<$1>')
    .replaceAll(/\{\{ [^}]*\$value \}\}/g, 'N')
    .replaceAll('<', '‹')
    .replaceAll('>', '›');
}
