import { rm } from 'node:fs/promises';
import { Injectable } from '@nestjs/common';
import { expect, it, onTestFinished } from 'vitest';
import { createMillraceApp } from '../../src/host/create-millrace-app.ts';
import { silentLogger } from '../../src/telemetry/silent-logger.ts';
import { newHostDirectory } from '../support/migrated-columns.ts';

/* An application that Nest refuses to build, or to begin, leaves nothing open: another can start on the same data. */

@Injectable()
class AtOnce {
  constructor() {
    throw new Error('a provider of the user fails');
  }
}
@Injectable()
class Hook {
  onModuleInit(): void {
    throw new Error('a provider of the user fails');
  }
}

it.each([
  ['constructor', false, AtOnce],
  ['constructor', true, AtOnce],
  ['hook', false, Hook],
  ['hook', true, Hook],
])('leaves no store open: %s, http %s', async (_, http, Provider) => {
  const directory = await newHostDirectory('mr-fail-');
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const start = (providers: (typeof AtOnce)[]) =>
    createMillraceApp({
      environment: {},
      config: { dataDirectory: directory, http: { port: 0 } },
      logger: silentLogger,
      http,
      providers: providers as never,
      signals: false,
      progress: false,
    });
  await expect(start([Provider as never])).rejects.toThrow('a provider of the user fails');
  const app = await start([]);
  await app.close();
});
