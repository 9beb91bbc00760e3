import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { recordingLogger } from '../../test/support/recording-logger.ts';
import { loadConfiguration } from './load-configuration.ts';
import { openingLines } from './opening-lines.ts';

function newDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'mr-opening-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  return directory;
}

function toldOf(environment: Readonly<Record<string, string>>, isShown: boolean) {
  const { logger, lines: logged } = recordingLogger();
  const written: string[] = [];
  const tell = openingLines(
    loadConfiguration({ environment }),
    isShown ? (line) => void written.push(line) : undefined,
    logger,
  );
  for (const what of ['the ledger', 'the queues']) tell(what);
  return { written, logged: logged.map(({ message }) => message) };
}

it('says at a terminal which store is opened, and that a first start takes seconds', () => {
  const directory = newDirectory();
  const environment = { MILLRACE_DATA_DIRECTORY: directory };
  const steps = ['  opening the ledger', '  opening the queues'];
  const first = `Opening the stores in ${directory}: the first start makes them, which takes some seconds`;
  expect(toldOf(environment, true)).toEqual({ written: [first, ...steps], logged: [] });
  mkdirSync(join(directory, 'ledger'));
  expect(toldOf(environment, true).written).toEqual([`Opening the stores in ${directory}`, ...steps]);
});

it('logs one line elsewhere', () => {
  const first = 'opening the stores: the first start makes them, which takes some seconds';
  expect(toldOf({ MILLRACE_DATA_DIRECTORY: newDirectory() }, false)).toEqual({
    written: [],
    logged: [first],
  });
  const servers = {
    MILLRACE_POSTGRES_URL: 'postgres://127.0.0.1/x',
    MILLRACE_QUEUE_URL: 'redis://127.0.0.1',
  };
  expect(toldOf(servers, false).logged).toEqual(['opening the stores']);
  expect(toldOf(servers, true).written[0]).toBe('Opening the stores');
});
