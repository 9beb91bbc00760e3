import { getQueueToken } from '@nestjs/bullmq';
import { Global, Module } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import type { Queue } from 'bullmq';
import { expect, it } from 'vitest';
import type { WakeUp } from './queue.ts';
import { BullMqQueueDriver } from './queue-driver.bullmq.ts';
import { registerQueues } from './queue.module.ts';

const driverToken = Symbol('queue driver');

it('lets users inject a BullMQ queue on the same store, and closes after the driver', async () => {
  const driver = await BullMqQueueDriver.open({ prefix: 'nest' });
  class DriverModule {}
  Global()(DriverModule);
  Module({ providers: [{ provide: driverToken, useValue: driver }], exports: [driverToken] })(DriverModule);
  const testing = await Test.createTestingModule({
    imports: [DriverModule, registerQueues({ names: ['summarise', 'classify'], driver: driverToken })],
  }).compile();
  await testing.init();

  const injected = testing.get<Queue>(getQueueToken('summarise'));
  const received: WakeUp[] = [];
  await driver.queue('summarise').consume(async (wakeUp) => void received.push(wakeUp), {
    concurrency: 1,
    onError: (error) => expect.fail(error.message),
  });
  const origin = { team: 'platform', customer: 'c', feature: 'f' };
  const messageId = '6f1c3b5e-0000-7000-8000-000000000000';
  await driver.queue('summarise').add([{ messageId, fence: 0, origin, lane: 'standard', delayMs: 50 }]);
  expect((await injected.getJob(messageId))?.data).toEqual({ fence: 0, origin, lane: 'standard' });
  await expect.poll(() => received).toHaveLength(1);

  await driver.close();
  await testing.close();
});
