import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { ConfigurationInput } from '../../src/host/configuration.ts';
import { installationWith } from '../../src/host/command-installation.ts';
import type { Host } from '../../src/host/host.ts';
import { loadConfiguration } from '../../src/host/load-configuration.ts';
import { applyBudgets } from '../../src/capabilities/budgets/apply-budgets.ts';
import { newId } from '../../src/kernel/ids.ts';
import { formatUsd, usd } from '../../src/kernel/money.ts';
import type { BudgetFault } from '../../src/capabilities/budgets/budget-ledger.ts';
import type { CountedKind } from '../../src/engine/ledger/ledger-counts.ts';
import { ScriptedModel } from '../../src/testing/scripted-model.ts';
import { stateOf } from '../support/budget-fixture.ts';
import { someReservation } from '../support/ledger-fixture.ts';
import { canRun, postgresPrograms, redisPrograms } from '../support/required-programs.ts';
import { SeveralHosts } from '../support/several-hosts.ts';
import { counted } from '../support/counted.ts';
import { TicketOpened, ticketStage } from '../support/ticket-stage.ts';
import { BudgetWatch } from '../../src/capabilities/budgets/budget-watch.ts';

const stages = [ticketStage(2)];
const origin = { team: 'blue', customer: 'acme', feature: 'triage' };
/** 10 × 0.25 + 100 × 2 dollars a million, of at most some 0.0005. */
const usage = { uncachedInput: 10, textOutput: 100 };
const costUsd = usd('0.0002025');
const messages = 40;

const budget = (limitUsd: string): ConfigurationInput['budgets'] => [
  { name: 'blue', team: 'blue', window: 'month', limitUsd },
];

describe.skipIf(![postgresPrograms(), redisPrograms()].every((program) => canRun(program)))(
  'budgets over several hosts',
  () => {
    let hosts: SeveralHosts;
    beforeAll(async () => {
      hosts = await SeveralHosts.begin();
    });
    afterEach(() => hosts.stopHosts());
    afterAll(() => hosts.end());

    function modelOf(): ScriptedModel {
      return new ScriptedModel(() => ({ text: 'Answered.', usage }), 'gpt-5-mini');
    }

    function startHost(ledgerUrl: string, model: ScriptedModel, limitUsd: string): Promise<Host> {
      return hosts.start(ledgerUrl, {
        stages,
        modelProviders: { openai: { kind: 'custom', model: () => model } },
        config: { budgets: budget(limitUsd) },
      });
    }

    async function admit(host: Host, count: number): Promise<void> {
      await Promise.all(
        Array.from({ length: count }, (_, n) =>
          host.admissions.admit(TicketOpened.v1, { subject: `Ticket ${n}` }, { origin }),
        ),
      );
    }

    const countOf = (host: Host, kind: CountedKind) => counted(host.stores.database, kind);

    it('8 workers at once never spend more than the limit; work waits, and goes on when the limit is raised', async () => {
      const ledgerUrl = await hosts.newLedger('limit');
      const model = modelOf();
      const limitUsd = '0.003';
      const first = await startHost(ledgerUrl, model, limitUsd);
      await Promise.all([1, 2, 3].map(() => startHost(ledgerUrl, model, limitUsd)));
      const ledger = first.service(BudgetWatch).ledger;
      const faults: BudgetFault[] = [];
      const watching = new AbortController();
      const watch = (async () => {
        while (!watching.signal.aborted) faults.push(...(await ledger.findFaults()));
      })();
      await admit(first, messages);

      // All that fits is done: nothing is reserved, and what is left does not take one more call.
      await expect
        .poll(
          async () => {
            const { spent, reserved, leastRefused } = await stateOf(ledger, 'blue');
            const waiting = (await ledger.countWaiting()).get('blue') ?? 0;
            const isFull = leastRefused !== undefined && spent.plus(leastRefused).greaterThan(limitUsd);
            return isFull && reserved.isZero() && waiting + (await countOf(first, 'completed')) === messages;
          },
          { timeout: 30_000, interval: 50 },
        )
        .toBe(true);
      const completed = await countOf(first, 'completed');
      expect(costUsd.times(model.requests.length).lessThanOrEqualTo(limitUsd)).toBe(true);
      expect(model.requests).toHaveLength(completed);
      // Most of the limit was used: a call costs less than half of its bound.
      expect(costUsd.times(completed).greaterThan(usd(limitUsd).times('0.75'))).toBe(true);
      expect(completed).toBeLessThan(messages);

      const { budgets } = loadConfiguration({ environment: {}, options: { budgets: budget('1') } });
      await applyBudgets(installationWith({ ...first.configuration, budgets }), {
        operation: { actor: 'ann', reason: 'the quarter is planned anew' },
        mayRemove: false,
      });
      await expect.poll(() => countOf(first, 'completed'), { timeout: 30_000, interval: 50 }).toBe(messages);
      watching.abort();
      await watch;
      expect(faults).toEqual([]);
      expect(await ledger.findFaults()).toEqual([]);
      expect(model.requests).toHaveLength(messages);
      const { spent } = await stateOf(ledger, 'blue');
      expect(formatUsd(spent)).toBe(formatUsd(costUsd.times(messages)));
    });

    it('lets messages go on when the window turns, and when the budget is removed', async () => {
      const ledgerUrl = await hosts.newLedger('turn');
      const model = modelOf();
      const host = await startHost(ledgerUrl, model, '0.0006');
      const { ledger } = host.service(BudgetWatch);
      await admit(host, 6);
      const isWaiting = async () => (await ledger.countWaiting()).get('blue') ?? 0;
      const settled = async () =>
        (await isWaiting()) + (await countOf(host, 'completed')) === 6 &&
        (await stateOf(ledger, 'blue')).reserved.isZero();
      await expect.poll(settled, { timeout: 20_000 }).toBe(true);
      const before = model.requests.length;
      expect(before).toBeLessThan(6);
      await host.stores.database.execute(
        `update millrace.quota_windows set window_start = window_start - interval '100 days'`,
      );
      await expect.poll(() => model.requests.length, { timeout: 20_000 }).toBeGreaterThan(before);
      await hosts.start(ledgerUrl, {
        stages,
        modelProviders: { openai: { kind: 'custom', model: () => model } },
        config: {},
      });
      await expect.poll(() => countOf(host, 'completed'), { timeout: 20_000 }).toBe(6);
      expect(await isWaiting()).toBe(0);
      // What the other start removed, the first host would bring back.
      expect(await host.service(BudgetWatch).begin()).toMatchObject([{ budget: 'blue', change: 'added' }]);
      expect(await host.service(BudgetWatch).begin()).toEqual([]);
    });

    it('gives up what a dead worker had reserved, counts its bound, and does the work', async () => {
      const ledgerUrl = await hosts.newLedger('crash');
      const model = modelOf();
      const host = await startHost(ledgerUrl, model, '1');
      const { ledger } = host.service(BudgetWatch);
      const { messageIds } = await host.admissions.admit(TicketOpened.v1, { subject: 'Help' }, { origin });
      await expect.poll(() => countOf(host, 'completed')).toBe(1);
      // A call of a lease that is over, as a killed worker leaves it.
      const id = messageIds[0] ?? '';
      await host.stores.database.execute(
        `update millrace.messages set state = 'leased', fencing_token = fencing_token + 1, finished_at = null, result = null,
           sweep_at = clock_timestamp() + interval '1 second', lease_until = clock_timestamp() + interval '1 second'`,
      );
      const fencingToken = 2;
      const call = newId(new Date());
      const outcome = await host.calls.reserve(
        someReservation({ id: call, message: { id, fencingToken }, quotas: ['blue'] }),
      );
      expect(outcome.kind).toBe('reserved');
      const figures = async () => {
        const { spent, reserved } = await stateOf(ledger, 'blue');
        return `${formatUsd(spent)} ${formatUsd(reserved)}`;
      };
      expect(await figures()).toBe(`${formatUsd(costUsd)} 0.5`);
      await expect.poll(figures, { timeout: 20_000 }).toBe(`${formatUsd(costUsd.plus('0.5'))} 0`);
      await expect.poll(() => countOf(host, 'completed'), { timeout: 20_000 }).toBe(1);
      expect(await ledger.findFaults()).toEqual([]);
    });
  },
);
