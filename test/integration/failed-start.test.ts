import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { context, createContextKey, ROOT_CONTEXT } from '@opentelemetry/api';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createMillraceApp } from '../../src/host/create-millrace-app.ts';
import { describeError } from '../../src/cli/describe-error.ts';
import { PgliteSqlDatabase } from '../../src/drivers/sql-database/sql-database.pglite.ts';
import type { HostCapability } from '../../src/host/capability-set.ts';
import { Host } from '../../src/host/host.ts';
import { loadConfiguration } from '../../src/host/load-configuration.ts';
import { silentLogger } from '../../src/telemetry/silent-logger.ts';
import { createLogger } from '../../src/telemetry/logging.ts';
import { fillHostDirectory, newHostDirectory } from '../support/migrated-columns.ts';
import { LogLines } from './api-application.ts';

/* A start that fails says so once: to whoever started it. */

let directory: string;
let held: string;
let holder: PgliteSqlDatabase;
const taken = createServer();

beforeAll(async () => {
  directory = await newHostDirectory('mr-failed-');
  for (const name of ['traced', 'closed']) await fillHostDirectory(join(directory, name));
  held = join(directory, 'held');
  holder = await PgliteSqlDatabase.open({ dataDirectory: join(held, 'ledger') });
  taken.listen(0, '127.0.0.1');
  await once(taken, 'listening');
});
afterAll(async () => {
  taken.close();
  await holder.close();
  await rm(directory, { recursive: true });
});

describe('a start that fails', () => {
  it.each([
    ['MILLRACE_HTTP_ADDRESS_UNAVAILABLE', () => ({ http: { port: (taken.address() as AddressInfo).port } })],
    ['MILLRACE_DATA_IN_USE', () => ({ http: { port: 0 }, dataDirectory: held })],
  ])('throws %s, and prints nothing beside it', async (code, config) => {
    const lines = new LogLines();
    const printed: string[] = [];
    const note = (text: unknown): boolean => {
      printed.push(String(text));
      return true;
    };
    const spies = [
      vi.spyOn(process.stdout, 'write').mockImplementation(note),
      vi.spyOn(process.stderr, 'write').mockImplementation(note),
    ];
    const error: unknown = await createMillraceApp({
      environment: {},
      config: { dataDirectory: directory, ...config() },
      logger: createLogger({ level: 'info', destination: lines }),
    }).catch((thrown: unknown) => thrown);
    for (const spy of spies) spy.mockRestore();
    expect(error).toMatchObject({ code });
    expect(printed.filter((text) => /error|Error/.test(text))).toEqual([]);
    expect(lines.parsed.filter(({ level }) => level === 'error')).toEqual([]);
    const told = describeError(error, { verbose: false });
    expect(told).not.toContain('because:');
  });
});

it('leaves no tracing behind', async () => {
  const configuration = loadConfiguration({
    environment: {},
    options: { dataDirectory: join(directory, 'traced'), tracing: { endpoint: 'http://127.0.0.1:9' } },
  });
  let wasTraced = false;
  const failing: HostCapability = {
    name: 'failing',
    open: () =>
      Promise.resolve(() => {
        wasTraced = hasContext();
        throw new Error('it does not open');
      }),
  };
  await expect(Host.open({ configuration, logger: silentLogger, capabilities: [failing] })).rejects.toThrow(
    'it does not open',
  );
  expect(wasTraced).toBe(true);
  expect(hasContext()).toBe(false);
});

/** Whether somebody carries the context of spans from caller to callee. */
function hasContext(): boolean {
  const key = createContextKey('test');
  return context.with(ROOT_CONTEXT.setValue(key, true), () => context.active().getValue(key) === true);
}

describe('an application that has closed', () => {
  it('says so to whoever asks it for something still, as what no retry changes', async () => {
    const app = await createMillraceApp({
      environment: {},
      signals: false,
      config: { dataDirectory: join(directory, 'closed'), http: { port: 0 }, logging: { level: 'silent' } },
    });
    await app.millrace.status();
    await app.close();
    const closing = { code: 'MILLRACE_CLOSING', retryable: false };
    await expect(app.millrace.status()).rejects.toMatchObject(closing);
    await expect(app.millrace.isIdle()).rejects.toMatchObject(closing);
  });
});
