import { alertmanagerFile } from './alertmanager-file.ts';
import { alertsDocument } from './alerts-document.ts';
import { readOwners } from './owners.ts';
import { prometheusRule, ruleFile } from './rule-file.ts';
import { ruleGroups } from './rule-groups.ts';

const groups = ruleGroups();

/** Every generated file about alerts: its path from the root, and what makes it. */
export const generatedAlerts: readonly {
  readonly path: string;
  readonly render: () => string | Promise<string>;
}[] = [
  ...groups.map((group) => ({
    path: `dashboards/generated/prometheus/${group.name}.rules.yml`,
    render: async () => ruleFile(group, await readOwners()),
  })),
  {
    path: 'dashboards/generated/alertmanager/alertmanager.yml',
    render: async () => alertmanagerFile(await readOwners(), groups),
  },
  {
    path: 'deploy/kubernetes/monitoring/prometheus-rule.yaml',
    render: async () => prometheusRule(groups, await readOwners()),
  },
  { path: 'docs/alerts.md', render: () => alertsDocument(groups) },
];
