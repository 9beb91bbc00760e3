import { rm } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { Host } from '../../src/host/host.ts';
import { loadConfiguration } from '../../src/host/load-configuration.ts';
import { Millrace } from '../../src/host/millrace.ts';
import { runCommandLine } from '../../src/cli/command-line.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { defineMessage } from '../../src/messages/message-type.ts';
import {
  messageListSchema,
  steeredSchema,
} from '../../src/capabilities/message-operations/message-documents.ts';
import type { StageContext } from '../../src/engine/pipeline/stage-context.ts';
import { defineStage } from '../../src/engine/pipeline/stage-definition.ts';
import type { RegisteredStage } from '../../src/engine/pipeline/stage-registry.ts';
import { silentLogger } from '../../src/telemetry/silent-logger.ts';
import { CapturedOutput } from '../support/captured-output.ts';
import { newHostDirectory } from '../support/migrated-columns.ts';
import { runCommand } from '../support/run-command.ts';
import { MessageService } from '../../src/capabilities/message-operations/message-service.ts';

/* Messages as an operator meets them: `millrace messages` and `tail` beside a running host, and waitFor in its code. */

const Ticket = defineMessage('ticket').version(1, z.object({ does: z.enum(['answer', 'hang', 'fail']) }));
const Answer = defineMessage('answer').version(1, z.object({ text: z.string() }));
const first = defineStage('first', {
  consumes: Ticket.upTo(1),
  emits: [Answer.v1],
  retry: { maxAttempts: 4, backoff: [3_600_000], jitter: 0 },
});
const second = defineStage('second', { consumes: Answer.upTo(1) });
const origin = { team: 'blue', customer: 'acme', feature: 'shop' };
const patience = { timeout: 30_000, interval: 20 };

let directory: string;
let host: Host;
let millrace: Millrace;
let aborts: unknown[];
let failures = 0;
let hanging = 0;

const stages = [
  {
    definition: first,
    handler: {
      async handle({ data }: { data: { does: string } }, context: StageContext) {
        if (data.does === 'hang') {
          hanging += 1;
          await new Promise((_, reject) => {
            context.signal.addEventListener('abort', () => {
              aborts.push(context.signal.reason);
              reject(context.signal.reason as Error);
            });
          });
        }
        if (data.does === 'fail' && failures++ === 0) throw new Error('the weather');
        (context as unknown as { emit(version: unknown, data: unknown): void }).emit(Answer.v1, {
          text: 'yes',
        });
        return { done: true };
      },
    },
  },
  { definition: second, handler: { handle: () => 'sent' } },
] as unknown as readonly RegisteredStage[];

beforeAll(async () => {
  directory = await newHostDirectory('millrace-messages-');
  aborts = [];
  host = await Host.open({
    configuration: loadConfiguration({ environment: {}, options: { dataDirectory: directory } }),
    logger: silentLogger,
  });
  await host.start(stages);
  millrace = new Millrace(host);
});

afterAll(async () => {
  await host.stop();
  await rm(directory, { recursive: true, force: true });
});

const run = (...args: readonly string[]) => runCommand([...args, '--data', directory]);
const succeed = async (...args: readonly string[]) => {
  const ended = await run(...args);
  expect(ended.code, ended.stderr).toBe(0);
  return ended.stdout;
};
const admit = async (does: 'answer' | 'hang' | 'fail', id?: string) =>
  (await millrace.admit(Ticket.v1, { does }, { origin, ...(id === undefined ? {} : { id }) }))
    .messageIds[0] ?? '';

describe('a message', () => {
  it('is waited for in code, alone and with all that followed from it', async () => {
    const id = await admit('answer');
    expect(await millrace.waitFor(id)).toMatchObject({ id, state: 'completed', result: { done: true } });
    expect(await millrace.waitFor(id, { includeChildren: true })).toMatchObject({ messages: 2, failed: 0 });
  });

  it('is waited for, listed and shown with its tree by the command line beside the host', async () => {
    const id = await admit('answer', 'T-1');
    const waited = await succeed('messages', 'wait', id, '--children', '--timeout', '30');
    expect(waited).toBe(`${id} completed, 2 messages in all, 0 of them without success\n`);
    const list = await succeed('messages', 'list', '--event-id', 'T-1', '--json');
    expect(messageListSchema.parse(JSON.parse(list)).messages).toMatchObject([{ id, state: 'completed' }]);
    expect(await succeed('messages', 'list', '--stage', 'second')).toContain('second');
    const story = await succeed('messages', 'show', id);
    expect(story).toMatch(/^message +[0-9a-f-]{36}$/m);
    expect(story).toMatch(/^first \* +[0-9a-f-]{36} +completed/m);
    expect(story).toMatch(/^ {2}second +[0-9a-f-]{36} +completed/m);
    expect(story).toContain('"does": "answer"');
    expect((await run('messages', 'show', 'x')).stderr).toContain('MILLRACE_NOT_FOUND');
    expect((await run('messages', 'list', '--limit', '0x10')).stderr).toContain('MILLRACE_REQUEST_INVALID');
  });

  it('that is being worked on is aborted when it is cancelled, and ends once, as cancelled', async () => {
    const id = await admit('hang');
    await expect.poll(() => hanging, patience).toBe(1);
    const reason = ['--reason', 'no longer wanted', '--actor', 'ann'];
    const plan = await succeed('messages', 'cancel', id, '--dry-run');
    expect(plan).toContain('1 message would be cancelled; nothing was changed.');
    const result = steeredSchema.parse(
      JSON.parse(await succeed('messages', 'cancel', id, ...reason, '--json')),
    );
    expect(result).toMatchObject({ count: 1, skipped: [] });
    await expect.poll(() => aborts, patience).toMatchObject([{ code: 'MILLRACE_MESSAGE_CANCELLED' }]);
    const ended = await run('messages', 'wait', id);
    expect(ended).toMatchObject({ code: 1, stdout: `${id} cancelled (MILLRACE_MESSAGE_CANCELLED)\n` });
    const { rows } = await host.stores.database.query({
      name: 'test.failures',
      text: `select code, detail like '%cli:ann: no longer wanted%' as says_who from millrace.failures where message_id = '${id}'`,
    });
    expect(rows).toEqual([{ code: 'MILLRACE_MESSAGE_CANCELLED', says_who: true }]);
  });

  it('that waits after a failure is made due now, and a tail shows all that happens to it', async () => {
    const told = new CapturedOutput();
    const stdout = new CapturedOutput();
    const following = runCommandLine(
      ['tail', '--seconds', '600', '--json', '--customer', 'acme', '--data', directory],
      { environment: {}, stdout, stderr: told, clock: systemClock },
    );
    await expect.poll(() => told.text, patience).toContain('Following');
    const id = await admit('fail', 'T-2');
    const state = async () => (await host.service(MessageService).tree(id, {}))?.messages[0];
    await expect.poll(state, patience).toMatchObject({ state: 'pending', attempts: 1 });
    const retried = await succeed('messages', 'retry', id, '--reason', 'the weather is fine');
    expect(retried).toContain('1 message was made due now.');
    expect(await millrace.waitFor(id, { includeChildren: true })).toMatchObject({ state: 'completed' });
    await expect.poll(() => failures, patience).toBe(2);
    process.emit('SIGINT', 'SIGINT');
    expect(await following).toBe(0);
    const events = stdout.text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
      .filter((event) => event['id'] === id);
    expect(events).toMatchObject([
      { kind: 'written', eventId: 'T-2', isEmitted: false },
      { kind: 'failure', code: 'MILLRACE_STAGE_FAILED' },
      { kind: 'ended', state: 'completed' },
    ]);
  });

  it('that nothing works on is not waited for without an end where no host runs', async () => {
    const id = await admit('fail', 'T-3');
    const state = async () => (await host.service(MessageService).tree(id, {}))?.messages[0]?.state;
    await expect.poll(state, patience).toBe('completed');
    const stuck = await admit('hang', 'T-4');
    await expect.poll(() => hanging, patience).toBe(2);
    await host.stop();
    expect(await succeed('messages', 'wait', id)).toBe(`${id} completed\n`);
    const refused = await run('messages', 'wait', stuck);
    expect(refused).toMatchObject({ code: 1, stdout: '' });
    expect(refused.stderr).toContain('MILLRACE_WAIT_NO_HOST');
    expect((await run('messages', 'wait', stuck, '--timeout', '0.2')).stderr).toContain(
      'MILLRACE_WAIT_TIMEOUT',
    );
  });
});
