import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateText } from 'ai';
import { z } from 'zod';
import { alertmanagerFile } from '../../dashboards/alerts/alertmanager-file.ts';
import { type Owners, parseOwners } from '../../dashboards/alerts/owners.ts';
import { ruleFile } from '../../dashboards/alerts/rule-file.ts';
import { ruleGroups } from '../../dashboards/alerts/rule-groups.ts';
import {
  AppError,
  createMillraceApp,
  defineMessage,
  defineStage,
  type MessageOf,
  type MillraceApp,
  Stage,
  type StageContext,
} from '../../src/millrace.ts';
import { refusal, ScriptedModel } from '../../src/testing.ts';
import { silentLogger } from '../../src/telemetry/silent-logger.ts';
import { type AlertmanagerServer, startAlertmanager } from '../support/alertmanager-server.ts';
import { type AlertNotice, type AlertReceiver, startAlertReceiver } from '../support/alert-receiver.ts';
import { ClickHouseHttpServer, serverPassword, serverUser } from '../support/clickhouse-http-server.ts';
import { fillColumnsDirectory } from '../support/migrated-columns.ts';
import { copyMigratedLedger } from '../support/migrated-ledger.ts';
import { type PrometheusServer, startPrometheus } from '../support/prometheus-server.ts';

/*
 * A Millrace with one stage, Prometheus that scrapes it and has the rules, Alertmanager with the routes, and whoever
 * is told: everything real, on loopback.
 */

/** A minute of a rule or a route is a second here. */
const timeScale = 1 / 60;
/** Other times of some groups: 500 messages need a while to die, and the others are long. */
const groupTimeScales: Readonly<Record<string, number>> = {
  'millrace-dead-letters': 1 / 20,
  'millrace-metering': 1 / 100,
  'millrace-stages': 1 / 200,
  'millrace-costs': 1 / 300,
};

const TicketOpened = defineMessage('ticket.opened').version(1, z.object({ subject: z.string() }));
const classify = defineStage('classify', {
  consumes: TicketOpened.upTo(1),
  pipeline: 'support',
  owner: 'search',
  concurrency: 16,
});

const QuestionAsked = defineMessage('question.asked').version(1, z.object({ text: z.string() }));
const answer = defineStage('answer', {
  consumes: QuestionAsked.upTo(1),
  pipeline: 'support',
  owner: 'support',
  retry: { maxAttempts: 101, backoff: ['200ms'], jitter: 0 },
});

/** Whether the stage `classify` is broken, and whether the model that `answer` asks is. */
export const fault = { isOn: false, isModelDown: false };

@Stage(classify)
class ClassifyStage {
  handle(): void {
    if (fault.isOn) throw new AppError('MILLRACE_STAGE_FAILED', 'the template is gone', { retryable: false });
  }
}

@Stage(answer)
class AnswerStage {
  async handle({ data }: MessageOf<typeof answer>, ctx: StageContext): Promise<void> {
    await generateText({
      model: ctx.model('openai/gpt-5-mini', { step: 'answer' }),
      prompt: data.text,
      maxOutputTokens: 200,
      maxRetries: 0,
    });
  }
}

const model = new ScriptedModel(
  () =>
    fault.isModelDown
      ? { error: refusal(503, 'down for maintenance') }
      : { text: 'yes', usage: { uncachedInput: 100, textOutput: 100 } },
  'gpt-5-mini',
);

export class AlertingFixture {
  readonly app: MillraceApp;
  readonly clickHouse: ClickHouseHttpServer;
  readonly prometheus: PrometheusServer;
  readonly alertmanager: AlertmanagerServer;
  readonly receiver: AlertReceiver;
  #forgotten = 0;

  private constructor(
    parts: Pick<AlertingFixture, 'app' | 'clickHouse' | 'prometheus' | 'alertmanager' | 'receiver'>,
  ) {
    this.app = parts.app;
    this.clickHouse = parts.clickHouse;
    this.prometheus = parts.prometheus;
    this.alertmanager = parts.alertmanager;
    this.receiver = parts.receiver;
  }

  /** Starts all of it; what each started, it hands to `cleanups`. */
  static async start(cleanups: (() => Promise<void> | void)[]): Promise<AlertingFixture> {
    const home = mkdtempSync(join(tmpdir(), 'millrace-alerting-'));
    cleanups.push(() => rmSync(home, { recursive: true, force: true }));
    await fillColumnsDirectory(join(home, 'clickhouse'));
    const clickHouse = new ClickHouseHttpServer(join(home, 'clickhouse'));
    await clickHouse.start();
    cleanups.push(() => clickHouse.stop());
    const receiver = await startAlertReceiver();
    cleanups.push(() => receiver.stop());
    const owners = ownersOf(receiver.url);
    const alertmanager = await startAlertmanager(alertmanagerFile(owners, ruleGroups(), timeScale));
    cleanups.push(() => alertmanager.stop());
    await copyMigratedLedger(join(home, 'data', 'ledger'));
    const app = await createMillraceApp({
      providers: [ClassifyStage, AnswerStage],
      modelProviders: { openai: { kind: 'custom', model: () => model } },
      environment: {},
      config: {
        dataDirectory: join(home, 'data'),
        http: { port: 0, auth: 'none' },
        columnStore: { url: clickHouse.url, user: serverUser, password: serverPassword },
        exporter: { intervalMs: 100 },
        // One answer costs 0.000225, at most 0.0004…: three fit, then there is no room for a fourth.
        budgets: [{ name: 'trial', team: 'support', window: 'month', limitUsd: '0.001' }],
        limits: { circuit: { minRequests: 10, openMs: 500, maxOpenMs: 1000 } },
      },
      logger: silentLogger,
    });
    cleanups.push(() => app.close());
    const prometheus = await startPrometheus({
      scrape: [{ job: 'millrace', targets: [new URL(app.url ?? '').host] }],
      interval: '1s',
      ruleFiles: ruleFiles(home, owners),
      alertmanagers: [alertmanager.address],
      resendDelay: '1s',
    });
    cleanups.push(() => prometheus.stop());
    return new AlertingFixture({ app, clickHouse, prometheus, alertmanager, receiver });
  }

  async admit(count: number): Promise<void> {
    const origin = { team: 'search', customer: 'acme', feature: 'triage' };
    await Promise.all(
      Array.from({ length: count }, (_, index) =>
        this.app.millrace.admit(TicketOpened.v1, { subject: `${index}` }, { origin }),
      ),
    );
  }

  /** Lets the stage `answer` ask its model so many times, for a team. */
  async ask(count: number, team: string): Promise<void> {
    const origin = { team, customer: 'acme', feature: 'help' };
    await Promise.all(
      Array.from({ length: count }, (_, index) =>
        this.app.millrace.admit(QuestionAsked.v1, { text: `${index}` }, { origin }),
      ),
    );
  }

  /** Asks the API as an operator would; resolves with the answer's document. */
  async operate(method: 'POST' | 'DELETE', path: string, body?: object): Promise<unknown> {
    const answer = await fetch(`${this.app.url}${path}`, {
      method,
      ...(body === undefined
        ? {}
        : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    });
    if (!answer.ok) throw new Error(`${path} answered ${answer.status}: ${await answer.text()}`);
    return answer.json();
  }

  /** The value that Prometheus has last scraped or computed; undefined without a series. */
  async valueOf(expression: string): Promise<number | undefined> {
    const [series] = await this.prometheus.query(expression);
    return series?.points[0]?.[1];
  }

  /** Forgets what was told so far. */
  forget(): void {
    this.#forgotten = this.receiver.notices.length;
  }

  /** What a receiver was told about an alert since, in order. */
  told(receiver: string, alert: string): readonly AlertNotice[] {
    return this.receiver.notices
      .slice(this.#forgotten)
      .filter((notice) => notice.receiver === receiver && notice.labels['alertname'] === alert);
  }

  /** How often a receiver was told of each state, as "firing" and "resolved" in order, repeats left out. */
  story(receiver: string, alert: string): readonly string[] {
    const states = this.told(receiver, alert).map(({ status }) => status);
    return states.filter((state, index) => state !== states[index - 1]);
  }

  /** Alerts of this name that another one inhibits. */
  async inhibited(alert: string): Promise<number> {
    const held = await this.alertmanager.alerts();
    return held.filter(({ labels, inhibitors }) => labels['alertname'] === alert && inhibitors > 0).length;
  }
}

function ruleFiles(home: string, owners: Owners): string[] {
  return ruleGroups().map(({ name }) => {
    const scale = groupTimeScales[name] ?? timeScale;
    const group = ruleGroups(scale).find((candidate) => candidate.name === name);
    if (group === undefined) throw new Error(`the group ${name} is gone`);
    const file = join(home, `${name}.rules.yml`);
    writeFileSync(file, ruleFile(group, owners, scale));
    return file;
  });
}

function ownersOf(receiverUrl: string): Owners {
  const names = ['on-call', 'dead-man', 'platform', 'search', 'support'];
  return parseOwners(
    JSON.stringify({
      grafanaUrl: 'https://grafana.example.org',
      runbooksUrl: 'https://example.org/runbooks',
      channels: Object.fromEntries(
        names.map((name) => [name, { kind: 'webhook', url: `${receiverUrl}/${name}` }]),
      ),
      onCall: ['on-call'],
      deadMan: ['dead-man'],
      platform: ['platform'],
      teams: { search: ['search'], support: ['support'] },
    }),
  );
}
