import { getQueueToken } from '@nestjs/bullmq';
import { type DynamicModule, type FactoryProvider, Module } from '@nestjs/common';
import { BullMqQueueDriver, type AnyBullMqQueue } from '../drivers/queue/queue-driver.bullmq.ts';
import { invariant } from '../kernel/invariant.ts';
import { Host } from './host.ts';

/**
 * BullMQ's own queues of stages, for looking into them: `imports: [MillraceQueuesModule.forStages(summarise)]`, then
 * `@InjectQueue('summarise') queue: Queue` of @nestjs/bullmq. Millrace opened them and closes them after its workers;
 * a job is only a wake-up call, so what is added or removed here changes no message.
 */
@Module({})
export class MillraceQueuesModule {
  static forStages(...stages: readonly { readonly name: string }[]): DynamicModule {
    const providers = stages.map(({ name }): FactoryProvider<Promise<AnyBullMqQueue>> => ({
      provide: getQueueToken(name),
      inject: [Host],
      useFactory: (host: Host) => bullMqQueueOf(host, name),
    }));
    return { module: MillraceQueuesModule, providers, exports: providers };
  }
}

function bullMqQueueOf({ stores }: Host, name: string): Promise<AnyBullMqQueue> {
  invariant(
    stores.queues instanceof BullMqQueueDriver,
    `the queue of "${name}" is BullMQ's; the test kit has queues of its own and none to inject`,
  );
  return stores.queues.bullMqQueue(name);
}
