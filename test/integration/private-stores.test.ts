import { chmod, mkdir, mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { loadConfiguration } from '../../src/host/load-configuration.ts';
import { openStores } from '../../src/host/stores.ts';

it('embedded stores are open to their user alone, also those of earlier versions', async () => {
  const dataDirectory = await mkdtemp(join(tmpdir(), 'millrace-private-stores-'));
  const directories = ['ledger', 'usage', 'payloads'].map((name) => join(dataDirectory, name));
  for (const directory of directories) {
    await mkdir(directory);
    await chmod(directory, 0o755);
  }
  const stores = await openStores(loadConfiguration({ environment: {}, options: { dataDirectory } }), 'test');
  try {
    for (const directory of directories) {
      expect(((await stat(directory)).mode & 0o777).toString(8), directory).toBe('700');
    }
  } finally {
    await stores.close();
    await rm(dataDirectory, { recursive: true });
  }
});
