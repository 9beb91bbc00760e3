import { generateText } from 'ai';
import { afterEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type MessageOf, Stage, type StageContext, defineMessage, defineStage } from '../../src/millrace.ts';
import { ScriptedModel, TestKit } from '../../src/testing.ts';

const Asked = defineMessage('question.asked').version(1, z.object({ text: z.string() }));
const origin = { team: 'blue', customer: 'acme', feature: 'search' };
const minuteMs = 60_000;

const patient = defineStage('patient', {
  consumes: Asked.v1,
  timeout: '1m',
  retry: { maxAttempts: 1, backoff: ['1s'] },
});
const lasting = defineStage('lasting', {
  consumes: Asked.v1,
  timeout: '60m',
  retry: { maxAttempts: 1, backoff: ['1s'] },
});

const Reminder = defineMessage('reminder').version(1, z.object({ text: z.string() }));
const planning = defineStage('planning', { consumes: Asked.v1, emits: [Reminder.v1] });
const reminding = defineStage('reminding', { consumes: Reminder.v1 });

describe('time limits in the test kit', () => {
  let kit: TestKit;
  afterEach(() => kit.close());

  it('a stage that takes longer than its time limit is stopped when the test sets the clock forward', async () => {
    const begun = Promise.withResolvers<AbortSignal>();
    @Stage(patient)
    class PatientStage {
      async handle(_message: MessageOf<typeof patient>, ctx: StageContext) {
        begun.resolve(ctx.signal);
        await new Promise((_resolve, reject) => {
          ctx.signal.addEventListener('abort', () => reject(ctx.signal.reason as Error));
        });
      }
    }
    kit = await TestKit.create({ providers: [PatientStage] });
    const running = kit.run(Asked.v1, { text: 'why' }, { origin });
    const signal = await begun.promise;
    // Longer than a lease, which is renewed on the way.
    await kit.advance(45_000);
    expect(signal.aborted).toBe(false);
    await kit.advance(15_000);
    expect(signal.aborted).toBe(true);
    expect((await running).messages).toMatchObject([
      { state: 'dead_lettered', errorCode: 'MILLRACE_STAGE_TIMEOUT' },
    ]);
  });

  it('a message that starts later starts when the test sets the clock forward', async () => {
    @Stage(planning)
    class PlanningStage {
      handle(message: MessageOf<typeof planning>, ctx: StageContext) {
        ctx.emit(Reminder.v1, message.data, { delay: '2h' });
      }
    }
    @Stage(reminding)
    class RemindingStage {
      handle() {
        return 'reminded';
      }
    }
    kit = await TestKit.create({ providers: [PlanningStage, RemindingStage] });
    const { messageIds } = await kit.millrace.admit(Asked.v1, { text: 'when' }, { origin, delay: '1h' });
    const states = async () => (await kit.look(messageIds)).messages.map(({ state }) => state);
    await kit.advance(60 * minuteMs - 1000);
    expect(await states()).toEqual(['pending']);
    await kit.advance(2000);
    expect(await states()).toEqual(['completed', 'pending']);
    await kit.advance(119 * minuteMs);
    expect(await states()).toEqual(['completed', 'pending']);
    await kit.advance(2 * minuteMs);
    expect((await kit.look(messageIds)).messages).toMatchObject([
      {},
      { stage: 'reminding', result: 'reminded' },
    ]);
  });

  it('a model that does not answer within its time limit fails when the handler sets the clock forward', async () => {
    const model = new ScriptedModel(async () => {
      await kit.advance(10 * minuteMs);
      return { hang: true };
    });
    @Stage(lasting)
    class LastingStage {
      async handle(message: MessageOf<typeof lasting>, ctx: StageContext) {
        const { text } = await generateText({
          model: ctx.model('openai/gpt-5-mini', { step: 'answer' }),
          prompt: message.data.text,
          abortSignal: ctx.signal,
        });
        return text;
      }
    }
    kit = await TestKit.create({ providers: [LastingStage], models: { 'openai/gpt-5-mini': model } });
    const run = await kit.run(Asked.v1, { text: 'why' }, { origin });
    expect(run.messages).toMatchObject([{ state: 'dead_lettered', errorCode: 'MILLRACE_MODEL_TIMEOUT' }]);
    expect(run.calls).toMatchObject([{ step: 'answer', outcome: 'unsettled' }]);
  });
});
