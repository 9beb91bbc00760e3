import type { Subject, SubjectOptions } from './subject.ts';

/** Opens a subject in this process, which loads no other; it does not work yet. */
export async function openSubject(options: SubjectOptions): Promise<Subject> {
  switch (options.kind) {
    case 'bullmq':
      return (await import('./bullmq-subject.ts')).openBullMq(options);
    case 'graphile-worker':
      return (await import('./graphile-worker-subject.ts')).openGraphileWorker(options);
    case 'pg-boss':
      return (await import('./pg-boss-subject.ts')).openPgBoss(options);
    case 'millrace-noop':
    case 'millrace-call':
      return (await import('./millrace-subject.ts')).openMillrace(options);
  }
}
