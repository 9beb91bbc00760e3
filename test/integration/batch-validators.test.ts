import { rm } from 'node:fs/promises';
import { expect, it, onTestFinished } from 'vitest';
import { BatchValidator, type ItemValidator } from '../../src/capabilities/batches/done/batch-validator.ts';
import { BatchValidators } from '../../src/capabilities/batches/done/batch-validators.ts';
import { createMillraceApp } from '../../src/host/create-millrace-app.ts';
import { Host } from '../../src/host/host.ts';
import { silentLogger } from '../../src/telemetry/silent-logger.ts';
import { newHostDirectory } from '../support/migrated-columns.ts';

@BatchValidator('labels')
class LabelValidator implements ItemValidator {
  validate() {
    return { ok: true };
  }
}
@BatchValidator('labels')
class OtherValidator extends LabelValidator {}

it('finds the validators among the providers of an application, and does not start where two have one name', async () => {
  const directory = await newHostDirectory('mr-valid-');
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const start = (...providers: readonly (typeof LabelValidator)[]) =>
    createMillraceApp({
      environment: {},
      config: { dataDirectory: directory },
      logger: silentLogger,
      http: false,
      providers,
      signals: false,
      progress: false,
    });
  await expect(start(LabelValidator, OtherValidator)).rejects.toMatchObject({
    code: 'MILLRACE_CONFIG_INVALID',
    faults: [{ field: 'batchValidators.labels', problem: 'two validators have this name' }],
  });
  const app = await start(LabelValidator);
  const validators = app.nest.get(Host).service(BatchValidators);
  expect(validators.find('labels')).toBeInstanceOf(LabelValidator);
  await app.close();
});
