import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { alertmanagerPrograms, canRun, prometheusPrograms } from '../support/required-programs.ts';
import { AlertingFixture, fault } from './alerting-fixture.ts';

/*
 * From a fault to whoever must know of it, and back: a running Millrace, the real Prometheus and Alertmanager, a webhook.
 * The rules and routes are the generator's own, made with a time scale: every window, `for`, age and interval is shorter
 * by the same factor, and nothing else differs. What the true times do is shown by the rules' unit tests.
 */

const soon = { timeout: 60_000, interval: 100 };
vi.setConfig({ testTimeout: 240_000 });

describe.skipIf(!canRun(prometheusPrograms()) || !canRun(alertmanagerPrograms()))('alerting', () => {
  const cleanups: (() => Promise<void> | void)[] = [];
  let fixture: AlertingFixture;

  beforeAll(async () => {
    fixture = await AlertingFixture.start(cleanups);
  });

  afterAll(async () => {
    fault.isOn = false;
    for (const cleanup of cleanups.toReversed()) await cleanup();
  });

  const deaths = 'sum(millrace_dead_letters_total)';
  const jobsTold = (receiver: string, state = 'firing'): readonly (string | undefined)[] =>
    fixture
      .told(receiver, 'MillraceBackgroundJobFailing')
      .filter(({ status }) => status === state)
      .map(({ labels }) => labels['background_job']);

  it('gives the dead man a sign of life, and nobody else', async () => {
    await expect.poll(() => fixture.told('dead-man', 'Watchdog').length, soon).toBeGreaterThan(0);
    const told = fixture.receiver.notices.filter(({ labels }) => labels['alertname'] === 'Watchdog');
    expect([...new Set(told.map(({ receiver }) => receiver))]).toEqual(['dead-man']);
  });

  it('tells the team of six dead letters, not of five', async () => {
    await expect.poll(() => fixture.valueOf(deaths), soon).toBe(0);
    fault.isOn = true;
    await fixture.admit(5);
    await expect.poll(() => fixture.valueOf(deaths), soon).toBe(5);
    await expect.poll(() => fixture.valueOf('max(millrace_dead_letters)'), soon).toBe(5);
    expect(await fixture.valueOf('count(ALERTS{alertname=~"MillraceDeadLetters.*"})')).toBeUndefined();

    await fixture.admit(1);
    await expect
      .poll(() => fixture.story('search', 'MillraceDeadLettersSuspicious'), soon)
      .toEqual(['firing']);
    expect(fixture.told('search', 'MillraceDeadLettersSuspicious')[0]).toMatchObject({
      labels: { severity: 'warning', owner: 'search', stage: 'classify', incident: 'dead-letters' },
      annotations: {
        // Prometheus extrapolates an increase to the edges of the window; in one as short as here that can be one more.
        summary: expect.stringMatching(/^classify: [67] messages dead-lettered in the last hour$/) as string,
        dashboard_url: 'https://grafana.example.org/d/millrace-dead-letters?var-stage=classify',
        runbook_url: 'https://example.org/runbooks/dead-letters.md#a-dead-letter',
      },
    });
    expect(fixture.told('on-call', 'MillraceDeadLettersSuspicious')).toEqual([]);
  });

  it('wakes on-call for 501 more, and keeps still about the lesser alert', async () => {
    await fixture.admit(501);
    await expect.poll(() => fixture.story('on-call', 'MillraceDeadLettersOutage'), soon).toEqual(['firing']);
    await expect.poll(() => fixture.story('search', 'MillraceDeadLettersOutage'), soon).toEqual(['firing']);
    expect(fixture.told('on-call', 'MillraceDeadLettersOutage')[0]).toMatchObject({
      labels: { severity: 'critical', owner: 'search', stage: 'classify' },
      annotations: {
        summary: expect.stringMatching(/^classify: outage, 5\d\d messages dead-lettered/) as string,
        dashboard_url: 'https://grafana.example.org/d/millrace-dead-letters?var-stage=classify',
        runbook_url: 'https://example.org/runbooks/dead-letters.md#many-at-once',
      },
    });
    await expect.poll(() => fixture.inhibited('MillraceDeadLettersSuspicious'), soon).toBe(1);
  });

  it('ends both after a replay, though the hour of the counter is not over', async () => {
    fault.isOn = false;
    await fixture.operate('POST', '/v1/dead-letters/replay', {
      filter: { stage: 'classify' },
      max: 1000,
      reason: 'the template is back',
    });
    await expect
      .poll(() => fixture.story('on-call', 'MillraceDeadLettersOutage'), soon)
      .toEqual(['firing', 'resolved']);
    await expect
      .poll(() => fixture.story('search', 'MillraceDeadLettersSuspicious'), soon)
      .toEqual(['firing', 'resolved']);
    // The counter alone would go on alerting.
    expect(await fixture.valueOf('sum(increase(millrace_dead_letters_total[3m]))')).toBeGreaterThan(500);
    expect(fixture.receiver.notices.filter(({ receiver }) => receiver === 'support')).toEqual([]);
  });

  it('reminds the team of a stage that stays paused, and not of what waits for it', async () => {
    const placed = await fixture.operate('POST', '/v1/pauses', {
      scope: 'stage',
      value: 'classify',
      reason: 'the vendor is looking into it',
    });
    const { pause } = placed as { readonly pause: { readonly id: string } };
    await fixture.admit(3);
    await expect.poll(() => fixture.story('search', 'MillraceStagePaused'), soon).toEqual(['firing']);
    expect(fixture.told('search', 'MillraceStagePaused')[0]).toMatchObject({
      labels: { severity: 'info', owner: 'search', stage: 'classify' },
      annotations: {
        summary: 'classify has been paused for more than 30 minutes',
        dashboard_url: 'https://grafana.example.org/d/millrace-stage?var-stage=classify',
        runbook_url: 'https://example.org/runbooks/pause.md#look',
      },
    });
    expect(fixture.told('on-call', 'MillraceBacklogStalled')).toEqual([]);

    await fixture.operate('DELETE', `/v1/pauses/${pause.id}?reason=mended`);
    await expect
      .poll(() => fixture.story('search', 'MillraceStagePaused'), soon)
      .toEqual(['firing', 'resolved']);
    await expect.poll(() => fixture.app.millrace.isIdle(), soon).toBe(true);
  });

  it('wakes on-call while a model fails and is left alone, and ends when it answers again', async () => {
    fault.isModelDown = true;
    await fixture.ask(20, 'search');
    await expect.poll(() => fixture.story('on-call', 'MillraceCircuitOpen'), soon).toEqual(['firing']);
    expect(fixture.told('on-call', 'MillraceCircuitOpen')[0]).toMatchObject({
      labels: { severity: 'critical', provider: 'openai', model: 'gpt-5-mini', incident: 'provider' },
      annotations: {
        summary: 'The circuit of openai/gpt-5-mini is open',
        dashboard_url:
          'https://grafana.example.org/d/millrace-models?var-provider=openai&var-model=gpt-5-mini',
        runbook_url: 'https://example.org/runbooks/provider.md#circuit',
      },
    });
    // It belongs to no team.
    await expect.poll(() => fixture.story('platform', 'MillraceCircuitOpen'), soon).toEqual(['firing']);

    fault.isModelDown = false;
    await expect
      .poll(() => fixture.story('on-call', 'MillraceCircuitOpen'), soon)
      .toEqual(['firing', 'resolved']);
    await expect.poll(() => fixture.app.millrace.isIdle(), soon).toBe(true);
  });

  it('wakes on-call and the team that pays when a budget is used up, and ends when nothing is refused any more', async () => {
    await fixture.ask(8, 'support');
    await expect.poll(() => fixture.story('on-call', 'MillraceBudgetExhausted'), soon).toEqual(['firing']);
    await expect.poll(() => fixture.story('support', 'MillraceBudgetExhausted'), soon).toEqual(['firing']);
    expect(fixture.told('support', 'MillraceBudgetExhausted')[0]).toMatchObject({
      labels: { severity: 'critical', team: 'support', budget: 'trial' },
      annotations: {
        summary: expect.stringMatching(/^Budget trial \(support\) is used up: \S+% spent$/) as string,
        dashboard_url: 'https://grafana.example.org/d/millrace-budgets',
        runbook_url: 'https://example.org/runbooks/budget.md#exhausted',
      },
    });
    expect(fixture.told('search', 'MillraceBudgetExhausted')).toEqual([]);
    await expect
      .poll(() => fixture.story('support', 'MillraceBudgetExhausted'), soon)
      .toEqual(['firing', 'resolved']);
  });

  it('tells the platform when ClickHouse is away, wakes on-call when nothing drains, and ends when it is back', async () => {
    // On a busy machine the dead letters themselves may have come late.
    await expect.poll(() => fixture.valueOf('max(millrace_export_pending_records)'), soon).toBe(0);
    await expect
      .poll(() => fixture.story('platform', 'MillraceMeteringLag').at(-1) ?? 'resolved', soon)
      .toBe('resolved');
    fixture.forget();
    await fixture.clickHouse.kill();
    await fixture.admit(3);
    await expect
      .poll(() => fixture.told('platform', 'MillraceMeteringLag')[0]?.annotations['summary'], soon)
      .toMatch(/^Usage has waited \S+ to reach ClickHouse$/);
    await expect
      .poll(() => fixture.told('on-call', 'MillraceMeteringStuck')[0], soon)
      .toMatchObject({
        status: 'firing',
        labels: { severity: 'critical', job: 'millrace' },
        annotations: { runbook_url: 'https://example.org/runbooks/metering.md#stuck' },
      });
    await expect.poll(() => fixture.inhibited('MillraceMeteringLag'), soon).toBe(1);
    // The background job that cannot export says why nothing drains; it is nothing to wake anybody for.
    await expect.poll(() => jobsTold('platform'), soon).toContain('export');
    expect(fixture.told('on-call', 'MillraceBackgroundJobFailing')).toEqual([]);
    expect(fixture.told('on-call', 'MillraceVitalBackgroundJobFailing')).toEqual([]);

    await fixture.clickHouse.start();
    await expect
      .poll(() => fixture.story('on-call', 'MillraceMeteringStuck'), soon)
      .toEqual(['firing', 'resolved']);
    await expect
      .poll(() => fixture.story('platform', 'MillraceMeteringLag'), soon)
      .toEqual(['firing', 'resolved']);
    await expect.poll(() => jobsTold('platform', 'resolved'), soon).toContain('export');
  });

  it('gave the dead man further signs of life all the while', () => {
    expect(fixture.receiver.notices.filter(({ receiver }) => receiver === 'dead-man').length).toBeGreaterThan(
      3,
    );
  });
});
