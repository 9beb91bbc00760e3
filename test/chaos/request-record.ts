import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ChaosSettings } from './chaos-settings.ts';

/* When each request of a process to the provider began and ended, by the machine's clock: in a file, line by line. */

const fileName = 'requests.jsonl';

/** A request to the provider. Without an end its process died. */
export interface RequestRecord {
  /** The process that made it. */
  readonly worker: string;
  readonly callId: string;
  readonly beganMs: number;
  readonly endedMs?: number;
}

interface Line {
  readonly worker: string;
  readonly callId: string;
  readonly what: 'began' | 'ended';
  readonly atMs: number;
}

export function fetchWithRecord(
  inner: typeof fetch,
  { directory, simulatorUrl }: Pick<ChaosSettings, 'directory' | 'simulatorUrl'>,
  worker: string,
): typeof fetch {
  const path = join(directory, fileName);
  return async (input, init) => {
    const callId = new Headers(init?.headers).get('x-millrace-call-id');
    const url = input instanceof Request ? input.url : String(input);
    if (callId === null || !url.startsWith(simulatorUrl)) return await inner(input, init);
    const note = (what: Line['what']): void =>
      appendFileSync(path, `${JSON.stringify({ worker, callId, what, atMs: Date.now() } satisfies Line)}\n`);
    let isOver = false;
    const end = (): void => {
      if (!isOver) note('ended');
      isOver = true;
    };
    note('began');
    init?.signal?.addEventListener('abort', end, { once: true });
    try {
      const response = await inner(input, init);
      response.clone().arrayBuffer().then(end, end);
      return response;
    } catch (error) {
      end();
      throw error;
    }
  };
}

export function readRequestRecords(directory: string): readonly RequestRecord[] {
  const path = join(directory, fileName);
  if (!existsSync(path)) return [];
  const records = new Map<string, RequestRecord>();
  for (const text of readFileSync(path, 'utf8').split('\n')) {
    if (text === '') continue;
    const { worker, callId, what, atMs } = JSON.parse(text) as Line;
    if (what === 'began') records.set(callId, { worker, callId, beganMs: atMs });
    else
      records.set(callId, { worker, callId, beganMs: records.get(callId)?.beganMs ?? atMs, endedMs: atMs });
  }
  return [...records.values()];
}
