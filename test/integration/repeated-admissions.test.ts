import { afterEach, expect, it } from 'vitest';
import { z } from 'zod';
import { Stage, defineMessage, defineStage } from '../../src/millrace.ts';
import { TestKit } from '../../src/testing.ts';

/* A message that its sender sends again, for a type that more than one stage consumes. */

const Opened = defineMessage('ticket.opened').version(1, z.object({ subject: z.string() }));

@Stage(defineStage('triage', { consumes: Opened.upTo(1) }))
class TriageStage {
  handle(): string {
    return 'triaged';
  }
}

@Stage(defineStage('archive', { consumes: Opened.upTo(1) }))
class ArchiveStage {
  handle(): string {
    return 'archived';
  }
}

let kit: TestKit | undefined;
afterEach(() => kit?.close());

it('is admitted once for each stage, whenever it comes again', async () => {
  kit = await TestKit.create({ providers: [TriageStage, ArchiveStage] });
  const { millrace } = kit;
  const origin = { team: 'blue', customer: 'acme', feature: 'shop' };
  const send = () => millrace.admit(Opened.v1, { subject: 'late' }, { id: 'T-1', origin });
  const first = await send();
  expect(first.messageIds).toHaveLength(2);
  const started = Date.now();
  await expect.poll(() => Date.now()).toBeGreaterThan(started + 1);
  expect(await send()).toEqual({ outcome: 'duplicate', messageIds: first.messageIds });
});
