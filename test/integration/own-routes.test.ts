import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Controller, Get, Module } from '@nestjs/common';
import { expect, it, onTestFinished } from 'vitest';
import { createMillraceApp } from '../../src/host/create-millrace-app.ts';
import { silentLogger } from '../../src/telemetry/silent-logger.ts';
import { canRun, postgresPrograms } from '../support/required-programs.ts';
import { newLedger } from '../support/shared-postgres.ts';
import { requestTo } from './request-to.ts';

/* Routes of an application's own stand behind the same door as the API, in processes of every role. */

it.skipIf(!canRun(postgresPrograms()))('asks for a key on own routes of a worker', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'mr-own-'));
  const url = await newLedger();
  @Controller('own')
  class OwnController {
    @Get()
    read(): { ok: boolean } {
      return { ok: true };
    }
  }
  @Module({ controllers: [OwnController] })
  class OwnModule {}
  const app = await createMillraceApp({
    environment: {},
    config: {
      dataDirectory: directory,
      ledger: { url },
      queue: { url },
      columnStore: { url: 'http://127.0.0.1:1', user: 'u', password: 'p' },
      roles: ['worker'],
      http: { port: 0 },
    },
    logger: silentLogger,
    imports: [OwnModule],
    signals: false,
    progress: false,
  });
  onTestFinished(async () => {
    await app.close();
    await rm(directory, { recursive: true, force: true });
  });
  const response = await requestTo(String(app.url)).get('/own');
  expect([response.status, response.text]).toEqual([401, expect.anything()]);
});
