/* Part of the build: the databases that embedded ones are copied from, an empty one and one with the queue's schema. */
import { makeQueueTemplate } from '../src/drivers/queue/bullmq-store.pglite.ts';
import { makePgliteTemplate } from '../src/drivers/sql-database/pglite-template.ts';

await Promise.all([makePgliteTemplate(), makeQueueTemplate()]);
