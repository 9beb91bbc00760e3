import { getQueueToken } from '@nestjs/bullmq';
import { type DynamicModule, type FactoryProvider, Module } from '@nestjs/common';
import { BullMqQueueDriver, type AnyBullMqQueue } from '../drivers/queue/queue-driver.bullmq.ts';
import { AppError } from '../kernel/app-error.ts';
import { Host } from './host.ts';

/**
 * BullMQ's own queues of stages, for looking into them: `imports: [MillraceQueuesModule.forStages(summarise)]`, then
 * `@InjectQueue('summarise') queue: Queue` of @nestjs/bullmq. Millrace opened them and closes them after its workers;
 * a job is only a job notification, so what is added or removed here changes no message. Throws MILLRACE_QUEUE_NOT_BULLMQ at
 * the start of an embedded host and in the test kit, whose notifications stay in memory.
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
  if (stores.queues instanceof BullMqQueueDriver) return stores.queues.bullMqQueue(name);
  throw new AppError(
    'MILLRACE_QUEUE_NOT_BULLMQ',
    `There is no BullMQ queue of "${name}" to inject: without queue.url, and in the test kit, notifications stay in the memory of the process.`,
  );
}
