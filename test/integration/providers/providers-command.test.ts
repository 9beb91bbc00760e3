import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCommand } from '../../support/run-command.ts';

// Before any test: a package that commands load late defines globals, which no test leaves behind.
await import('../../../src/host/command-installation.ts');
await import('../../../src/host/provider-rows.ts');

let directory: string;
let config: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-providers-'));
  config = join(directory, 'millrace.json');
  const providers = {
    gemini: { apiKey: 'gemini-key-of-the-file' },
    paris: { kind: 'bedrock', region: 'eu-west-3' },
    eu: { kind: 'openai-compatible', baseUrl: 'https://models.example/v1?key=password-4711' },
  };
  await writeFile(config, JSON.stringify({ models: { providers } }));
});
afterAll(() => rm(directory, { recursive: true }));

const environment = {
  GROQ_API_KEY: 'groq-key-of-the-environment',
  AWS_ACCESS_KEY_ID: 'AKIA-OF-THE-ENVIRONMENT',
  AWS_SECRET_ACCESS_KEY: 'secret-of-the-environment',
};

describe('millrace providers', () => {
  it('shows what is configured and installed, and what makes the others', async () => {
    const { code, stdout } = await runCommand(['providers', '--config', config], environment);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^gemini +google +entry +@ai-sdk\/google +\d+\.\d+\.\d+ +google\s*$/m);
    expect(stdout).toMatch(/^paris +bedrock +entry +@ai-sdk\/amazon-bedrock +\d+\.\d+\.\d+ +aws\s*$/m);
    expect(stdout).toMatch(/^groq +groq +environment /m);
    expect(stdout).toMatch(/^eu +openai-compatible +entry .* eu\s*$/m);
    expect(stdout).toMatch(
      /^cohere +cohere +no .* set COHERE_API_KEY, or configure models\.providers\.cohere$/m,
    );
    expect(stdout).not.toMatch(/^bedrock /m);
  });

  it.each([[[]], [['--json']]])('shows nothing of any account (%j)', async (options) => {
    const { stdout } = await runCommand(['providers', '--config', config, ...options], environment);
    expect(stdout).toContain('paris');
    for (const secret of ['-of-the-', '-OF-THE-', '4711', 'models.example']) {
      expect(stdout).not.toContain(secret);
    }
  });
});
