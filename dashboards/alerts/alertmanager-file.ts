import { stringify } from 'yaml';
import type { RuleGroup } from './alert-rule.ts';
import type { Channel, Owners } from './owners.ts';
import { RuleTerms } from './rule-terms.ts';

/*
 * Alertmanager's configuration. The first route that fits takes an alert, except that critical ones go to on-call and
 * on: the team is told as well. What belongs to no team goes to the platform. The worse alert of an incident silences
 * the lesser ones about the same thing: `equal` lists every label that says what an alert is about, since a label that
 * both lack counts as equal.
 */
export function alertmanagerFile(owners: Owners, groups: readonly RuleGroup[], timeScale = 1): string {
  const terms = new RuleTerms(timeScale);
  const subject = subjectLabels(groups);
  const config = {
    route: {
      receiver: 'platform',
      group_by: ['alertname', 'owner', 'team', 'stage'],
      group_wait: terms.minutes(0.5),
      group_interval: terms.minutes(5),
      repeat_interval: terms.hours(4),
      routes: [
        {
          receiver: 'dead-man',
          matchers: [matcher('alertname', 'Watchdog')],
          group_wait: '0s',
          group_interval: terms.minutes(1),
          repeat_interval: terms.minutes(5),
        },
        { receiver: 'nobody', matchers: [matcher('severity', 'none')] },
        { receiver: 'on-call', matchers: [matcher('severity', 'critical')], continue: true },
        ...Object.keys(owners.teams).flatMap((team) => [
          { receiver: teamReceiver(team), matchers: [matcher('owner', team)] },
          { receiver: teamReceiver(team), matchers: [matcher('team', team)] },
        ]),
        // Without it a critical alert of no team would end at on-call.
        { receiver: 'platform' },
      ],
    },
    inhibit_rules: [
      {
        source_matchers: [matcher('severity', 'critical')],
        target_matchers: ['severity=~"warning|info"'],
        equal: ['incident', ...subject],
      },
      {
        source_matchers: [matcher('severity', 'warning')],
        target_matchers: [matcher('severity', 'info')],
        equal: ['incident', ...subject],
      },
      {
        source_matchers: [matcher('alertname', 'MillraceStagePaused')],
        target_matchers: [matcher('incident', 'backlog')],
        equal: ['owner', 'stage'],
      },
      {
        source_matchers: [matcher('alertname', 'MillraceAbsent')],
        target_matchers: [matcher('incident', 'scrape')],
      },
    ],
    receivers: [
      receiver('on-call', owners.onCall, owners),
      receiver('dead-man', owners.deadMan, owners),
      receiver('nobody', [], owners),
      ...Object.entries(owners.teams).map(([team, names]) => receiver(teamReceiver(team), names, owners)),
      receiver('platform', owners.platform, owners),
    ],
  };
  const head = '# Generated from dashboards/owners.yml by `npm run boards:generate`. Do not edit.\n';
  return head + stringify(config, { lineWidth: 0, aliasDuplicateObjects: false });
}

const teamReceiver = (team: string): string => `team ${team}`;
const matcher = (label: string, value: string): string => `${label}=${JSON.stringify(value)}`;

/** Every label that says what some alert is about. */
function subjectLabels(groups: readonly RuleGroup[]): string[] {
  return [...new Set(groups.flatMap(({ alerts }) => alerts.flatMap(({ identity }) => identity)))].toSorted();
}

function receiver(name: string, channelNames: readonly string[], owners: Owners): Record<string, unknown> {
  const configs = channelNames.flatMap((channelName) => {
    const channel = owners.channels[channelName];
    return channel === undefined ? [] : [configOf(channel)];
  });
  const byKind = Object.entries(Object.groupBy(configs, ([key]) => key));
  return {
    name,
    ...Object.fromEntries(byKind.map(([key, entries = []]) => [key, entries.map(([, config]) => config)])),
  };
}

const text = (field: string): string => `{{ range .Alerts }}{{ .Annotations.${field} }}\n{{ end }}`;
const subjectLine = '[{{ .Status | toUpper }}] {{ .GroupLabels.SortedPairs.Values | join " " }}';
const body =
  '{{ range .Alerts }}{{ .Labels.severity }}: {{ .Annotations.summary }}\n{{ .Annotations.description }}\n{{ .Annotations.dashboard_url }}\n{{ .Annotations.runbook_url }}\n\n{{ end }}';

function configOf(channel: Channel): readonly [kind: string, config: Record<string, unknown>] {
  switch (channel.kind) {
    case 'webhook':
      return [
        'webhook_configs',
        {
          url: channel.url,
          send_resolved: true,
          ...(channel.tokenFile === undefined
            ? {}
            : { http_config: { authorization: { credentials_file: channel.tokenFile } } }),
        },
      ];
    case 'slack':
      return [
        'slack_configs',
        {
          api_url_file: channel.apiUrlFile,
          channel: channel.channel,
          send_resolved: true,
          title: subjectLine,
          text: body,
        },
      ];
    case 'email':
      return [
        'email_configs',
        {
          to: channel.to,
          from: channel.from,
          smarthost: channel.smarthost,
          send_resolved: true,
          headers: { Subject: subjectLine },
          text: body,
          ...(channel.username === undefined ? {} : { auth_username: channel.username }),
          ...(channel.passwordFile === undefined ? {} : { auth_password_file: channel.passwordFile }),
        },
      ];
    case 'pagerduty':
      return [
        'pagerduty_configs',
        {
          routing_key_file: channel.routingKeyFile,
          send_resolved: true,
          description: subjectLine,
          details: {
            summaries: text('summary'),
            boards: text('dashboard_url'),
            runbooks: text('runbook_url'),
          },
        },
      ];
  }
}
