import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { alertmanagerFile } from '../../dashboards/alerts/alertmanager-file.ts';
import { parseOwners } from '../../dashboards/alerts/owners.ts';
import { ruleGroups } from '../../dashboards/alerts/rule-groups.ts';
import { alertmanagerPrograms, canRun, directoryOf } from '../support/required-programs.ts';

/* Alertmanager's configuration: every kind of channel, and who is told of what. */

const committed = join(
  import.meta.dirname,
  '..',
  '..',
  'dashboards',
  'generated',
  'alertmanager',
  'alertmanager.yml',
);

/** Every kind of channel, more than one for a team, and a team whose name needs quoting. */
const ownersText = `
grafanaUrl: https://grafana.example.org
runbooksUrl: https://example.org/millrace/docs/runbooks
channels:
  pager: { kind: pagerduty, routingKeyFile: /etc/alertmanager/secrets/pagerduty }
  search-ops: { kind: slack, channel: '#search-ops', apiUrlFile: /etc/alertmanager/secrets/slack }
  finance: { kind: email, to: finance@example.org, from: alerts@example.org, smarthost: 'smtp.example.org:587', username: alerts, passwordFile: /etc/alertmanager/secrets/smtp }
  plain-mail: { kind: email, to: ops@example.org, from: alerts@example.org, smarthost: 'localhost:25' }
  snitch: { kind: webhook, url: 'https://dead-man.example.org/ping', tokenFile: /etc/alertmanager/secrets/dead-man }
  hook: { kind: webhook, url: 'http://127.0.0.1:9/alerts' }
onCall: [pager, hook]
deadMan: [snitch]
platform: [plain-mail]
teams:
  search: [search-ops, hook]
  'R & D "labs"': [finance]
`;

/** Labels of an alert, and the receivers that must get it, in order. */
const routes: readonly (readonly [
  what: string,
  labels: Readonly<Record<string, string>>,
  receivers: readonly string[],
])[] = [
  ['the watchdog goes to the dead man', { alertname: 'Watchdog', severity: 'none' }, ['dead-man']],
  ['what has no severity to act upon goes nowhere', { alertname: 'X', severity: 'none' }, ['nobody']],
  [
    "a warning goes to the stage's team",
    { alertname: 'MillraceDeadLettersSuspicious', severity: 'warning', owner: 'search', stage: 'classify' },
    ['team search'],
  ],
  [
    "critical goes to on-call and to the stage's team",
    { alertname: 'MillraceDeadLettersOutage', severity: 'critical', owner: 'search', stage: 'classify' },
    ['on-call', 'team search'],
  ],
  [
    "a budget goes to the origin's team",
    { alertname: 'MillraceBudgetExhausted', severity: 'critical', team: 'search', budget: 'monthly' },
    ['on-call', 'team search'],
  ],
  [
    'a name with spaces and quotes is a team like any other',
    { alertname: 'MillraceSpendOverBaseline', severity: 'warning', team: 'R & D "labs"' },
    ['team R & D "labs"'],
  ],
  [
    'an owner that nobody wrote down goes to the platform',
    { alertname: 'MillraceDeadLettersSuspicious', severity: 'warning', owner: 'newcomers' },
    ['platform'],
  ],
  [
    'what belongs to no team goes to the platform',
    { alertname: 'MillraceMeteringLag', severity: 'warning', job: 'millrace' },
    ['platform'],
  ],
  [
    'critical without a team goes to on-call and to the platform',
    { alertname: 'MillraceAbsent', severity: 'critical' },
    ['on-call', 'platform'],
  ],
  [
    'information goes to the team too',
    { alertname: 'MillraceStagePaused', severity: 'info', owner: 'search' },
    ['team search'],
  ],
];

describe.skipIf(!canRun(alertmanagerPrograms()))('the configuration in Alertmanager', () => {
  let directory: string;
  let file: string;

  const amtool = (...args: string[]): { readonly code: number | null; readonly output: string } => {
    const { status, stdout, stderr } = spawnSync(join(directoryOf(alertmanagerPrograms()), 'amtool'), args, {
      encoding: 'utf8',
      timeout: 60_000,
    });
    return { code: status, output: `${stdout}${stderr}` };
  };
  const routeOf = (labels: Readonly<Record<string, string>>, receivers: readonly string[]) =>
    amtool(
      'config',
      'routes',
      'test',
      `--config.file=${file}`,
      `--verify.receivers=${receivers.join(',')}`,
      ...Object.entries(labels).map(([name, value]) => `${name}=${JSON.stringify(value)}`),
    );

  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'millrace-alertmanager-'));
    file = join(directory, 'alertmanager.yml');
    writeFileSync(file, alertmanagerFile(parseOwners(ownersText), ruleGroups()));
  });

  afterAll(() => rmSync(directory, { recursive: true }));

  it('is sound as committed and with every kind of channel', () => {
    expect(amtool('check-config', committed)).toMatchObject({ code: 0 });
    const { code, output } = amtool('check-config', file);
    expect(output).toContain('SUCCESS');
    expect(output).toContain('6 receivers');
    expect(code).toBe(0);
  });

  it.each(routes)('%s', (_what, labels, receivers) => {
    const { code, output } = routeOf(labels, receivers);
    expect(output.split('\n', 1)).toEqual([receivers.join(',')]);
    expect(code).toBe(0);
  });

  it('would be told of a wrong route', () => {
    expect(routeOf({ alertname: 'MillraceAbsent', severity: 'critical' }, ['platform'])).toMatchObject({
      code: 1,
    });
  });
});

describe("the owners' file", () => {
  const faulty = (from: string | RegExp, to: string) => () => parseOwners(ownersText.replace(from, to));

  it('names every fault', () => {
    expect(faulty('[search-ops, hook]', '[search-op]')).toThrow(
      /teams\.search names the channel "search-op"/,
    );
    expect(faulty('onCall:', 'oncall:')).toThrow(/oncall/);
    expect(faulty('kind: slack', 'kind: fax')).toThrow(/channels/);
    expect(faulty('/etc/alertmanager/secrets/pagerduty', 'R0UTINGKEY')).toThrow(/absolute path of a file/);
    expect(faulty('https://grafana.example.org', 'https://grafana.example.org/')).toThrow(/no slash/);
    expect(faulty('smtp.example.org:587', 'smtp.example.org')).toThrow(/host:port/);
  });

  it('has no field that takes a secret as text', () => {
    expect(faulty('routingKeyFile: /etc/alertmanager/secrets/pagerduty', 'routingKey: key')).toThrow(
      /routingKey/,
    );
    expect(faulty('passwordFile: /etc/alertmanager/secrets/smtp', 'password: word')).toThrow(/password/);
  });
});
