/** The schema in which BullMQ's PostgreSQL backend looks for its tables, whichever pool it is given. */
export const bullMqSchema = 'bullmq';

/** There, adding in bulk makes temporary tables, which takes as long as this many single jobs. */
export const postgresBulkFrom = 16;
