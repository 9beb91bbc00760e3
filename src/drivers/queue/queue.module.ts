import { BullModule } from '@nestjs/bullmq';
import type { DynamicModule, InjectionToken, ModuleMetadata } from '@nestjs/common';
import { type IQueueBackend, Queue } from 'bullmq';
import type { BullMqQueueDriver, NestQueueOptions } from './queue-driver.bullmq.ts';
import type { WakeUpData } from './wake-up-job.ts';

/*
 * Stages' queues as @nestjs/bullmq knows them, for `@InjectQueue('stage')`: BullMQ's own class on the driver's store.
 * The driver's workers are not Nest's, because Nest closes workers and queues side by side at shutdown; here the host
 * stops taking, drains and publishes before (in beforeApplicationShutdown), and only then Nest closes its queues.
 */

export interface QueueModuleOptions {
  readonly names: readonly string[];
  /** The token under which the BullMqQueueDriver is provided. */
  readonly driver: InjectionToken;
  /** The modules that provide it, unless they are global. */
  readonly imports?: ModuleMetadata['imports'];
}

/** BullMQ's queue on the store that its options bring; @nestjs/bullmq itself cannot be told of one. */
class StoreQueue extends Queue<WakeUpData, void, string, WakeUpData, void, string, IQueueBackend, object> {
  constructor(name: string, options: NestQueueOptions) {
    const { backend, ...rest } = options;
    super(name, rest, backend);
    // A caller is told by its call; an error event that nobody hears would end the process.
    this.on('error', () => undefined);
  }
}

/** Registers the named queues with @nestjs/bullmq. */
export function registerQueues({ names, driver, imports = [] }: QueueModuleOptions): DynamicModule {
  BullModule.queueClass = StoreQueue;
  return BullModule.registerQueueAsync(
    ...names.map((name) => ({
      name,
      imports,
      inject: [driver],
      useFactory: (queues: BullMqQueueDriver) => queues.nestOptions(name),
    })),
  );
}
