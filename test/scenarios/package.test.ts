import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SimulatorBill } from '../../src/simulator/bill.ts';
import { InstalledPackage } from '../support/installed-package.ts';
import { isFullDepth } from '../support/test-depth.ts';
import { mistakes, nestApplication } from './package-sources.ts';
import { fromDocument, documentedFile } from './documented-files.ts';

/*
 * The packed package in an empty project, as a user meets it: installed by the documented command, the documented own
 * program, module and test compiled and run, the model calls going to the package's simulator.
 */

// Packing, installing and compiling, on a machine that others load.
const timeoutMs = 600_000;
const commandLine = join('node_modules', 'millrace', 'dist', 'src', 'cli', 'millrace-command.js');

let installed: InstalledPackage;
let simulatorUrl: string;

beforeAll(async () => {
  installed = await InstalledPackage.create(
    fromDocument(/^(npm install millrace\b.*)$/m, 'npm install millrace …'),
  );
  const [, url = ''] = await installed.start(
    [commandLine, 'simulator'],
    /^OpenAI base URL\s+(\S+)\/openai\/v1$/,
  );
  simulatorUrl = url;
  const openai = { kind: 'openai', baseUrl: `${url}/openai/v1`, apiKey: 'simulated' };
  installed.write('millrace.json', JSON.stringify({ models: { providers: { openai } } }));
  const program = documentedFile('summarise.ts');
  installed.write('summarise.ts', program);
  // As the README says: for a test, messages and stage are in a file of their own, without the program.
  installed.write('summarise.stage.ts', program.slice(0, program.indexOf('\nconst app = ')));
  installed.write('summarise.test.ts', documentedFile('summarise.test.ts'));
  installed.write('application.module.ts', documentedFile('application.module.ts'));
  installed.write('nest-application.ts', nestApplication);
  installed.write('tsconfig.json', documentedFile('tsconfig.json'));
  installed.link('vitest');
  await installed.compile(isFullDepth ? 'typescript' : 'typescript-native');
}, timeoutMs);

afterAll(() => installed?.close());

async function billSince(place: number): Promise<SimulatorBill> {
  const response = await fetch(`${simulatorUrl}/_simulator/bill?since=${place}`);
  return (await response.json()) as SimulatorBill;
}

/** Runs a compiled program of the project against the simulator; what it was billed for meanwhile comes along. */
async function runProgram(name: string): Promise<{ readonly stdout: string; readonly bill: SimulatorBill }> {
  const { next } = await billSince(0);
  const program = join('out', `${name}.js`);
  const { stdout } = await installed.run(process.execPath, [program], {
    MILLRACE_CONFIG: 'millrace.json',
    MILLRACE_LOG_LEVEL: 'silent',
  });
  return { stdout, bill: await billSince(next) };
}

describe('the tarball', () => {
  it('holds what runs and what is read, and nothing of how it is made', () => {
    const { paths } = installed.tarball;
    expect(paths).toEqual(
      expect.arrayContaining([
        'README.md',
        'LICENSE',
        'CHANGELOG.md',
        'package.json',
        'dist/src/millrace.js',
        'dist/src/millrace.d.ts',
        'dist/src/testing.d.ts',
        'dist/examples/documents/documents.module.js',
        'postgres/migrations/0001-ledger.sql',
        'clickhouse/migrations/0001-usage.sql',
      ]),
    );
    const foreign =
      /^(?:src|test|bench|scripts|docs\/images|dist\/(?:test|bench|dashboards|pglite))\/|^dashboards\/(?!generated\/|owners\.yml$)|\.(?:test|board|alerts)\.|\.map$|\.tsbuildinfo$/;
    expect(paths.filter((path) => foreign.test(path))).toEqual([]);
  });

  it('stays under 2 MB', () => {
    expect(installed.tarball.sizeBytes).toBeLessThan(2_000_000);
  });
});

describe('an empty project that installed it', () => {
  it('is compiled with all declarations checked', () => {
    expect(documentedFile('tsconfig.json')).not.toContain('skipLibCheck');
  });

  it('has one copy of what it shares with Millrace', () => {
    for (const name of ['@nestjs/common', '@nestjs/core', 'reflect-metadata', 'rxjs', 'ai', 'zod']) {
      expect(existsSync(join(installed.directory, 'node_modules', name, 'package.json')), name).toBe(true);
      expect(existsSync(join(installed.directory, 'node_modules/millrace/node_modules', name)), name).toBe(
        false,
      );
    }
  });

  it('runs the documented program: the message completes, and what it prints is what the provider billed', async () => {
    const { stdout, bill } = await runProgram('summarise');
    expect(bill.requests).toBe(1);
    expect(stdout).toMatch(/^\d+ completed, 0 dead-lettered$/m);
    expect(stdout).toContain(` ${bill.totalUsd} USD\n`);
  });

  it('passes the documented test of the stage, without a provider', async () => {
    const { next } = await billSince(0);
    const vitest = join('node_modules', 'vitest', 'vitest.mjs');
    // Vitest's own limit is for a machine that does nothing else.
    const patience = ['--testTimeout', '60000'];
    const report = ['--reporter', 'json', '--outputFile', 'report.json'];
    const args = [vitest, 'run', 'summarise.test.ts', ...patience, ...report];
    await installed.run(process.execPath, args);
    expect(JSON.parse(installed.read('report.json'))).toMatchObject({ success: true, numPassedTests: 1 });
    expect((await billSince(next)).requests).toBe(0);
  });

  it('runs a Nest application around the documented module', async () => {
    const { stdout, bill } = await runProgram('nest-application');
    expect(bill.requests).toBe(1);
    expect(JSON.parse(stdout)).toEqual({
      added: 204,
      ready: 'ready',
      costsWithoutKey: 401,
      isCounted: true,
      // The document, and the summary that nobody consumes.
      messages: { pending: 0, leased: 0, completed: 2, dead_lettered: 0, cancelled: 0 },
      settledUsd: bill.totalUsd,
    });
  });

  it('is told by the compiler what it does wrong', async () => {
    installed.write('mistakes.ts', mistakes);
    await expect(installed.compile()).rejects.toThrow(
      /mistakes\.ts\(8,\d+\): error TS2322: Type 'number' is not assignable to type 'string'/,
    );
  });
});

describe('the command line of the installed package', () => {
  const millrace = (...args: readonly string[]) =>
    installed.run('npx', ['--no-install', 'millrace', ...args]);

  it('shows its commands', async () => {
    const { stdout } = await millrace('--help');
    for (const command of ['start', 'demo', 'migrate', 'status', 'costs', 'prices', 'keys', 'simulator']) {
      expect(stdout).toMatch(new RegExp(`^ {2}${command} `, 'm'));
    }
  });

  it(
    'runs the demo over the texts of the packages that are installed there',
    async () => {
      const demo = () => millrace('demo', '--limit', '5', '--json', '--data', 'demo-data');
      // It speaks to both vendors' APIs, and says what is missing.
      const refused = await demo().then(() => '', String);
      const [, missing = ''] = /npm install "(@ai-sdk\/anthropic@[^"]+)"/.exec(refused) ?? [];
      expect(missing, refused).not.toBe('');
      await installed.run('npm', ['install', missing, '--prefer-offline', '--no-audit', '--no-fund']);
      const { stdout } = await demo();
      const report = JSON.parse(stdout) as Record<string, unknown>;
      expect(report).toMatchObject({
        documents: 5,
        originCoverage: 1,
        messages: { pending: 0, deadLettered: 0 },
      });
      expect(report['billedUsd']).toMatch(/^0\.0\d*[1-9]$/);
      expect(report['ledgerUsd']).toBe(report['billedUsd']);
      expect(report['attributedUsd']).toBe(report['billedUsd']);
    },
    timeoutMs,
  );
});
