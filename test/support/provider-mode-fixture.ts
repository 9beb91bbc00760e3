import { hash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { expect } from 'vitest';
import { sourceOf } from '../../src/capabilities/batches/batch.ts';
import { batchNames } from '../../src/capabilities/batches/batch-names.ts';
import type { BatchMode, ShareScope } from '../../src/capabilities/batches/batch-settings.ts';
import { openMode } from '../../src/capabilities/batches/mode/open-mode.ts';
import {
  type ProviderModeSettings,
  providerModeSettings,
} from '../../src/capabilities/batches/mode/provider-mode-settings.ts';
import { openSharing } from '../../src/capabilities/batches/sharing/open-sharing.ts';
import { openProviderBatchApi } from '../../src/capabilities/batches/provider/open-provider-batch-api.ts';
import type { CapabilityParts } from '../../src/capabilities/capability.ts';
import type { CallDeferral } from '../../src/engine/calls/call-deferral.ts';
import { migrate } from '../../src/drivers/sql-database/migrator.ts';
import type { CallSharing } from '../../src/engine/calls/call-sharing.ts';
import { capabilities } from '../../src/host/capabilities.ts';
import type { HostContext } from '../../src/host/capability-set.ts';
import type { ConfigurationInput } from '../../src/host/configuration.ts';
import { Host } from '../../src/host/host.ts';
import { loadConfiguration } from '../../src/host/load-configuration.ts';
import { openDatabase } from '../../src/host/stores.ts';
import { type Clock, systemClock } from '../../src/kernel/clock.ts';
import { silentLogger } from '../../src/telemetry/silent-logger.ts';
import type { SimulatorBill } from '../../src/simulator/bill.ts';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { newHostDirectory } from './migrated-columns.ts';
import * as moded from './moded-batches.ts';
import type { ModedCall } from './moded-call.ts';
import { askedType, modedStages, models } from './moded-stages.ts';
import { mortalDatabase, mortalMethods, Mortality } from './mortal.ts';

/*
 * A pipeline of two stages, each with one call to a model, on a host and the simulated providers. The clock of batches and
 * of the providers is the tests'; the job of the mode is run by hand, so that a test says when it dies.
 */

export const minuteMs = 60_000;
export const hourMs = 60 * minuteMs;

interface BeginOptions {
  readonly deadline?: Date;
  readonly text?: string;
  /** Of all its items; the batch is of "blue". */
  readonly itemTeam?: string;
  /** Other than `none`: its items are all the same. `customers`: of the items, in turn. */
  readonly share?: ShareScope;
  readonly customers?: readonly string[];
}

interface Fixture {
  readonly host: Host;
  readonly simulator: Simulator;
  readonly context: HostContext;
}

/** What the tests of a file work with, one after another: each sees its own batches and its own part of the bill. */
export class ProviderModeFixture {
  readonly #fixture: Fixture;
  readonly #directory: string;
  #settings = settingsOf({});
  /** Of the process that runs the job. */
  #mode: CapabilityParts<string>;
  /** Of the processes that work on messages. */
  #workers: CapabilityParts<string>;
  #aheadMs = 0;
  #batches = 0;
  #since = 0;
  #ids: string[] = [];

  private constructor(fixture: Fixture, directory: string) {
    this.#fixture = fixture;
    this.#directory = directory;
    this.#mode = this.#openMode(new Mortality());
    this.#workers = this.#mode;
  }

  static async open(configuration: ConfigurationInput = {}): Promise<ProviderModeFixture> {
    // Host and simulator are opened before what they ask.
    const opened: { fixture?: ProviderModeFixture } = {};
    let context: HostContext | undefined;
    const now = (): Date => opened.fixture?.now() ?? new Date();
    const simulator = await startSimulator({
      seed: 7,
      clock: { ...systemClock, now },
      latency: { medianMs: 0 },
      batches: { durationMs: minuteMs },
    });
    const directory = await newHostDirectory('millrace-provider-mode-');
    const deferral: CallDeferral = {
      courseOf: async (request) => (await opened.fixture?.deferral.courseOf(request)) ?? { kind: 'now' },
      waitOf: (messageId) => (opened.fixture as ProviderModeFixture).deferral.waitOf(messageId),
    };
    const sharing: CallSharing = {
      courseOf: async (request) => (await opened.fixture?.sharing.courseOf(request)) ?? { kind: 'own' },
    };
    const capability = {
      name: 'mode',
      names: batchNames,
      open: () =>
        Promise.resolve((given: HostContext): CapabilityParts => {
          context = given;
          return { hooks: { deferral, sharing } };
        }),
    };
    const loaded = loadConfiguration({
      environment: {},
      options: {
        dataDirectory: directory,
        models: {
          providers: {
            openai: { apiKey: 'key', baseUrl: `${simulator.url}/openai/v1` },
            anthropic: { apiKey: 'key', baseUrl: `${simulator.url}/anthropic/v1` },
          },
        },
        ...configuration,
      },
    });
    // An embedded ledger is migrated as it is opened.
    if (configuration.ledger?.url !== undefined) {
      const database = await openDatabase(loaded, 'migrate');
      await migrate(database);
      await database.close();
    }
    const host = await Host.open({
      configuration: loaded,
      logger: silentLogger,
      capabilities: [...capabilities.filter(({ name }) => name !== ('batches' as string)), capability],
    });
    if (context === undefined) throw new Error('The host opens its capabilities.');
    const fixture = new ProviderModeFixture({ host, simulator, context }, directory);
    opened.fixture = fixture;
    await host.start(modedStages);
    return fixture;
  }

  get host(): Host {
    return this.#fixture.host;
  }

  get simulator(): Simulator {
    return this.#fixture.simulator;
  }

  get deferral(): CallDeferral {
    return this.#workers.hooks?.deferral as CallDeferral;
  }

  get sharing(): CallSharing {
    return this.#workers.hooks?.sharing as CallSharing;
  }

  now(): Date {
    return new Date(Date.now() + this.#aheadMs);
  }

  /** Lets time pass for batches and providers. */
  pass(ms: number): void {
    this.#aheadMs += ms;
  }

  /** Begins a test: with these settings, without faults, and with nothing of the tests before in sight. */
  async reset(settings: Partial<ProviderModeSettings> = {}): Promise<void> {
    this.#settings = settingsOf(settings);
    this.#ids = [];
    this.#since = (await this.simulator.bill()).next;
    this.simulator.setBatchRules([]);
    this.simulator.setRules([]);
    this.#mode = this.#openMode(new Mortality());
    this.#workers = this.#mode;
  }

  /** What the providers have billed in this test. */
  async bill(): Promise<SimulatorBill> {
    return await this.simulator.bill({ since: this.#since, entries: true });
  }

  /** The calls of this test's batches, in the order in which they were reserved. */
  async calls(): Promise<readonly ModedCall[]> {
    const { rows } = await this.rows<ModedCall>(
      `select c.step, c.provider, c.tier, c.state, c.settlement, c.outcome, c.request_kind, c.cost_usd::text,
        c.upper_bound_usd::text, c.error_type, m.attempts, c.price_reference, c.cascade_verdict, c.cascade_usd::text
       from millrace.calls c join millrace.messages m on m.id = c.message_id
       where m.batch = any($1::text[]) order by c.reserved_at, c.id`,
      [this.#ids],
    );
    return rows;
  }

  /** Which way the calls of its batches are made, by batch and model. */
  async choices(): Promise<readonly { readonly mode: string; readonly reason: string }[]> {
    const { rows } = await this.rows<{ mode: string; reason: string }>(
      `select c.mode, c.reason from millrace.batch_mode_choices c join millrace.batches b on b.id = c.batch_id
       where b.name = any($1::text[]) order by b.started_at, b.id, c.model`,
      [this.#ids],
    );
    return rows;
  }

  /** How many providers' batches of its batches were asked to end. */
  async countCancelled(): Promise<number> {
    return await this.count(
      `select count(*)::int as count from millrace.provider_batches p join millrace.provider_batch_owners o on o.provider_batch = p.id
       where p.cancel_requested_at is not null and o.batch_id = any($1::uuid[])`,
      [this.#ids.map((name) => moded.batchId('blue', name))],
    );
  }

  /** How many of its messages are completed. */
  async completed(): Promise<number> {
    return await this.count(
      `select count(*)::int as count from millrace.messages where state = 'completed' and stage <> '' and batch = any($1::text[])`,
      [this.#ids],
    );
  }

  /** Another process runs the mode's job in place of the one before, and dies at that moment. The leases of the dead run out. */
  async restart(mortality = new Mortality()): Promise<void> {
    await this.execute('update millrace.provider_batches set leased_until = null');
    this.#mode = this.#openMode(mortality);
  }

  /** A batch that runs, with items for each of the models. Answers its name. */
  async begin(
    mode: BatchMode,
    items: readonly (keyof typeof models)[],
    {
      deadline,
      text = `batch ${this.#batches}`,
      itemTeam = 'blue',
      share = 'none',
      customers = ['acme'],
    }: BeginOptions = {},
  ): Promise<string> {
    this.#batches += 1;
    const batch = `batch-${this.#batches}`;
    this.#ids.push(batch);
    await this.writeBatch('blue', batch, { mode, deadline, share });
    const id = moded.batchId('blue', batch);
    await moded.writeModedItems(this.host.stores.database, id, { count: items.length, team: itemTeam });
    for (const [place, account] of items.entries()) {
      const customer = customers[place % customers.length] ?? 'acme';
      const origin = { team: itemTeam, customer, feature: 'search', batch };
      const item = share === 'none' ? `item ${place}` : 'an item';
      const data = { text: `${item} of ${text}`, model: models[account] };
      const from = { source: sourceOf(id), id: String(place + 1) };
      await this.host.admissions.admitUnchecked({ ...askedType, data }, { origin, ...from });
    }
    return batch;
  }

  /** A batch that runs, without items. */
  async writeBatch(
    team: string,
    name: string,
    {
      mode,
      deadline,
      share = 'none',
    }: { readonly mode: BatchMode; readonly deadline?: Date | undefined; readonly share?: ShareScope },
  ): Promise<void> {
    const { database } = this.host.stores;
    await moded.writeModedBatch(database, { team, name }, { mode, deadline, share, beganAt: this.now() });
  }

  /** What an operator does whose batches have dead letters. Answers how many live again. */
  async replayAll(): Promise<number> {
    const revived = await moded.replayBatches(this.host.stores.database, this.#ids);
    for (const { stage, id } of revived) this.#fixture.context.engine.publisher.notify(stage, id);
    return revived.length;
  }

  /** What whoever winds batches down does with their messages. */
  async cancelMessages(): Promise<void> {
    await moded.cancelBatchMessages(this.host.stores.database, this.#ids);
  }

  /** Its messages by state and by the code that they were given up with. */
  async ends(): Promise<readonly string[]> {
    const { rows } = await this.rows<{ ended: string }>(
      `select concat_ws(' ', state, error_code) as ended from millrace.messages
       where batch = any($1::text[]) and stage <> '' order by 1`,
      [this.#ids],
    );
    return rows.map(({ ended }) => ended);
  }

  /** How many retries of models were permitted since all tests began. */
  async retries(): Promise<number> {
    return await this.count('select coalesce(sum(retries), 0)::int as count from millrace.model_windows');
  }

  /** One turn of each job. */
  async turn(): Promise<void> {
    for (const name of ['provider_batches', 'shared_answers']) {
      const job = this.#mode.jobs?.find((one) => one.name === name);
      while ((await job?.turn(new AbortController().signal)) === true);
    }
  }

  /** Waits until every message has ended or waits for a provider's batch. */
  async settleDown(): Promise<void> {
    await expect
      .poll(
        () =>
          this.count(`select count(*)::int as count from millrace.messages
            where state = 'leased' or (state = 'pending' and parked_for is null)`),
        { timeout: 240_000, interval: 50 },
      )
      .toBe(0);
  }

  /** Turns, with time going on, until every message has ended and nothing of them is left. */
  async finish(stepMs = minuteMs, maxTurns = 400): Promise<void> {
    for (let turns = 0; turns < maxTurns; turns += 1) {
      await this.settleDown();
      await this.turn();
      await this.settleDown();
      const open = await this
        .count(`select (select count(*) from millrace.messages where state in ('pending', 'leased'))::int
        + (select count(*) from millrace.deferred_calls)::int
        + (select count(*) from millrace.provider_batches where state not in ('closed', 'unresolved'))::int as count`);
      if (open === 0) return;
      this.pass(stepMs);
    }
    throw new Error('The batches do not come to an end.');
  }

  async count(text: string, parameters: readonly unknown[] = []): Promise<number> {
    const { rows } = await this.rows<{ count: number }>(text, parameters);
    return rows[0]?.count ?? 0;
  }

  /** Rows of whatever the statement answers. */
  // oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- whoever asks knows what the columns are
  async rows<Row>(
    text: string,
    parameters: readonly unknown[] = [],
  ): Promise<{ readonly rows: readonly Row[] }> {
    const name = `test.${hash('sha256', text).slice(0, 16)}`;
    return await this.host.stores.database.query<Row>({ name, text }, parameters);
  }

  async execute(text: string): Promise<void> {
    await this.host.stores.database.execute(text);
  }

  async close(): Promise<void> {
    await this.host.stop();
    await this.simulator.close();
    await rm(this.#directory, { recursive: true, force: true });
  }

  #clock(clock: Clock): Clock {
    return {
      now: () => this.now(),
      monotonicMs: () => clock.monotonicMs(),
      sleep: (delayMs, signal) => clock.sleep(delayMs, signal),
      startTimer: (delayMs, act) => clock.startTimer(delayMs, act),
    };
  }

  #openMode(mortality: Mortality): CapabilityParts<string> {
    const { context } = this.#fixture;
    const mortal = {
      ...context,
      settings: { ...context.settings, batches: { provider: this.#settings } },
      database: mortalDatabase(context.database, mortality),
      clock: this.#clock(context.clock),
    };
    const mode = openMode(mortal, async (account) =>
      mortalMethods(await openProviderBatchApi(account), mortality),
    );
    const sharing = openSharing(mortal, mode);
    return {
      hooks: { ...mode.hooks, ...sharing.hooks },
      jobs: [...(mode.jobs ?? []), ...(sharing.jobs ?? [])],
    };
  }
}

function settingsOf(settings: Partial<ProviderModeSettings>): ProviderModeSettings {
  return providerModeSettings.parse({ gatherMs: 0, pollMs: 1000, ...settings });
}
