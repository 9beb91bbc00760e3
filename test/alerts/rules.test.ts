import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { readOwners } from '../../dashboards/alerts/owners.ts';
import { type AlertLinks, ruleFile } from '../../dashboards/alerts/rule-file.ts';
import { ruleGroups } from '../../dashboards/alerts/rule-groups.ts';
import { metricCatalogue } from '../../src/host/metric-catalogue.ts';
import type { MetricCatalogue } from '../../src/telemetry/metric-definition.ts';
import { canRun, directoryOf, prometheusPrograms } from '../support/required-programs.ts';
import { batchCases } from './batch-cases.ts';
import { scheduleCases } from './schedule-cases.ts';
import { platformCases } from './platform-cases.ts';
import { processCases } from './process-cases.ts';
import { promtoolTest, type RuleCase } from './rule-case.ts';
import { requestCases } from './request-cases.ts';
import { stageCases } from './stage-cases.ts';

/* The alert rules: each alert fires when it should and at no other time, and says enough to act upon. */

const root = join(import.meta.dirname, '..', '..');
const generated = join(root, 'dashboards', 'generated', 'prometheus');
const groups = ruleGroups();
const alerts = groups.flatMap((group) => group.alerts);
const cases = {
  ...stageCases,
  ...platformCases,
  ...batchCases,
  ...requestCases,
  ...scheduleCases,
  ...processCases,
};

describe.skipIf(!canRun(prometheusPrograms()))('the rules in Prometheus', () => {
  let directory: string;
  let links: AlertLinks;
  const ruleFiles = groups.map(({ name }) => join(generated, `${name}.rules.yml`));

  const promtool = (...args: string[]): { readonly code: number | null; readonly output: string } => {
    const { status, stdout, stderr } = spawnSync(join(directoryOf(prometheusPrograms()), 'promtool'), args, {
      encoding: 'utf8',
      timeout: 60_000,
    });
    return { code: status, output: `${stdout}${stderr}` };
  };

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'millrace-rules-'));
    links = await readOwners();
  });

  afterAll(() => rmSync(directory, { recursive: true }));

  it('pass every lint', () => {
    const { code, output } = promtool('check', 'rules', '--lint=all', '--lint-fatal', ...ruleFiles);
    expect(output).not.toMatch(/FAILED|error/i);
    expect(code).toBe(0);
  });

  it('pass every lint in the fast variant that tests run', () => {
    const files = groups.map((_, index) => join(directory, `${index}.rules.yml`));
    ruleGroups(1 / 60).forEach((group, index) =>
      writeFileSync(files[index] ?? '', ruleFile(group, links, 1 / 60)),
    );
    expect(promtool('check', 'rules', '--lint=all', '--lint-fatal', ...files)).toMatchObject({ code: 0 });
  });

  /** A file for promtool, over the one file of rules that has the alert. */
  const testFile = (name: string, ofAlert: readonly RuleCase[]): string => {
    const rules = ruleFiles.filter((_, index) => groups[index]?.alerts.some(({ alert }) => alert === name));
    const file = join(directory, `${name}.test.yml`);
    writeFileSync(file, stringify(promtoolTest(name, ofAlert, { rules, links })));
    return file;
  };

  it.each(alerts.map(({ alert }) => alert))('%s fires when it should and at no other time', (name) => {
    const file = testFile(name, cases[name] ?? []);
    const { code, output } = promtool('test', 'rules', file);
    expect(output).toContain('SUCCESS');
    expect(code).toBe(0);
  });

  it('would be told of a case that is not met', () => {
    const [first] = cases['MillraceMeteringLag'] ?? [];
    if (first === undefined) throw new Error('there are cases');
    const wrong = { ...first, at: { '4m30s': first.at['5m'] ?? [] } };
    expect(promtool('test', 'rules', testFile('MillraceMeteringLag', [wrong]))).toMatchObject({ code: 1 });
  });
});

describe('the alerts', () => {
  it('each have cases in which they fire and in which they do not', () => {
    expect(Object.keys(cases).toSorted()).toEqual(alerts.map(({ alert }) => alert).toSorted());
    for (const [name, ofAlert] of Object.entries(cases)) {
      const outcomes = ofAlert.flatMap(({ at }) => Object.values(at).map((firing) => firing.length > 0));
      expect(outcomes, name).toContain(true);
      if (name !== 'Watchdog') expect(outcomes, name).toContain(false);
    }
  });

  it('have names of their own, and values in their summaries only', () => {
    expect(new Set(alerts.map(({ alert }) => alert)).size).toBe(alerts.length);
    for (const { alert, description, summary } of alerts) {
      expect(description, alert).not.toContain('$value');
      expect(description, alert).toMatch(/\.$/);
      expect(summary, alert).toMatch(/[^.]$/);
    }
  });

  it('of one incident are about the same things, so that inhibition by `equal` fits', () => {
    const incidents = Map.groupBy(alerts, ({ incident }) => incident);
    for (const [incident, members] of incidents) {
      expect(new Set(members.map(({ identity }) => identity.join())).size, incident).toBe(1);
    }
  });

  it('are written with metrics and labels of the catalogue', () => {
    const known: MetricCatalogue = metricCatalogue;
    const problems = groups.flatMap((group) => {
      const expressions = [...(group.recordings ?? []), ...group.alerts].map(({ expr }) => expr);
      return expressions.flatMap((expression) =>
        [...expression.matchAll(/(?<![:\w])millrace_(\w+)(?:\{([^}]*)\})?/g)].flatMap(
          ([, name = '', matchers = '']) => problemsOf(known, name.replace(/_bucket$/, ''), matchers),
        ),
      );
    });
    expect(problems).toEqual([]);
    expect(problemsOf(known, 'dead_letters', 'lane="bulk"')).toEqual(['dead_letters has no label lane']);
    expect(problemsOf(known, 'dead_lettrs', '')).toEqual(['dead_lettrs is in no catalogue']);
    expect(problemsOf(known, 'llm_circuit_state', 'state=~"open|ajar"')).toEqual([
      'llm_circuit_state has no state "ajar"',
    ]);
  });

  it('lead to boards that are there and have the variables', () => {
    for (const { alert, board } of alerts) {
      const path = join(root, 'dashboards', 'generated', 'grafana', 'dashboards', `${board.uid}.json`);
      const json = JSON.parse(readFileSync(path, 'utf8')) as { templating: { list: { name: string }[] } };
      const names = json.templating.list.map(({ name }) => name);
      expect(names, alert).toEqual(expect.arrayContaining([...(board.variables ?? [])]));
      if (board.query !== undefined)
        expect(names).toEqual(expect.arrayContaining(['team', 'customer', 'feature']));
    }
  });

  it('name runbooks that are there', () => {
    const problems = alerts.flatMap(({ alert, runbook }) => {
      const [file = '', anchor = ''] = runbook.split('#');
      const path = join(root, 'docs', 'runbooks', file);
      if (!existsSync(path)) return [`${alert}: ${file} is not there`];
      return headingsOf(path).includes(anchor) ? [] : [`${alert}: ${runbook} has no such heading`];
    });
    expect(problems).toEqual([]);
  });

  it('are named in the runbook that they lead to', () => {
    const silent = alerts.filter(({ alert, runbook }) => {
      const file = runbook.split('#', 1)[0] ?? '';
      return !readFileSync(join(root, 'docs', 'runbooks', file), 'utf8').includes(alert);
    });
    expect(silent.map(({ alert }) => alert)).toEqual([]);
  });
});

function headingsOf(path: string): string[] {
  return [...readFileSync(path, 'utf8').matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(/\s/g, '-'),
  );
}

function problemsOf(known: MetricCatalogue, name: string, matchers: string): string[] {
  const metric = known[name];
  if (metric === undefined) return [`${name} is in no catalogue`];
  return [...matchers.matchAll(/(\w+)(?:=~|!~|!=|=)"([^"]*)"/g)].flatMap(([, label = '', text = '']) => {
    const values = metric.labels[label];
    if (values === undefined) return [`${name} has no label ${label}`];
    if (values === 'open') return [];
    return text
      .split('|')
      .flatMap((value) => (values.includes(value) ? [] : [`${name} has no ${label} "${value}"`]));
  });
}
