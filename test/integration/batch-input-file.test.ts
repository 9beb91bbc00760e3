import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openInput } from '../../src/capabilities/batches/intake/input-file.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-input-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('refuses a file that changes while it is read', async () => {
  const file = join(folder, 'growing.jsonl');
  writeFileSync(file, '{"data":1}\n');
  const same = await openInput(file, undefined);
  await same.confirm();
  await same.close();
  for (const change of [
    () => appendFileSync(file, '{}\n'),
    () => {
      rmSync(file);
      writeFileSync(file, '{"data":1}\n');
    },
    () => rmSync(file),
  ]) {
    const input = await openInput(file, undefined);
    change();
    await expect(input.confirm()).rejects.toThrow(/changed while it was read\. Nothing was started/);
    await input.close();
  }
});
