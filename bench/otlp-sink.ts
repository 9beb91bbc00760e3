import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export interface OtlpSink {
  readonly endpoint: string;
  /** Ends the process, and answers how many bytes arrived. */
  stop(): Promise<number>;
}

/** Starts a receiver of traces in a process of its own, so that its work is not counted as ours. */
export async function startOtlpSink(): Promise<OtlpSink> {
  const child = spawn(process.execPath, [fileURLToPath(new URL('otlp-sink-process.ts', import.meta.url))], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const nextLine = async (): Promise<string> => {
    const { value, done } = await lines.next();
    if (done === true) throw new Error('the receiver of traces has ended');
    return value;
  };
  return {
    endpoint: await nextLine(),
    async stop() {
      const exited = once(child, 'exit');
      child.kill('SIGTERM');
      const bytes = Number(await nextLine());
      await exited;
      return bytes;
    },
  };
}
