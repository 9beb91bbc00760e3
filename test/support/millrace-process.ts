import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { builtCommand } from './built-package.ts';
import { shortRunFlags } from './short-run-flags.ts';

/** A run of the built command that has ended. */
export interface EndedCommand {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A run of the built command. */
export interface MillraceProcess {
  readonly child: ChildProcess;
  /** Resolves once the text stands on standard error, or when the process has ended without it. */
  readonly says: (text: string) => Promise<void>;
  readonly ended: Promise<EndedCommand>;
}

/** Starts `millrace …` in a folder, without any setting of the machine that the tests run on. */
export async function startMillrace(args: readonly string[], cwd: string): Promise<MillraceProcess> {
  const command = await builtCommand();
  const environment = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(?:MILLRACE_|OPENAI_|ANTHROPIC_|npm_)/.test(name)),
  );
  const child = spawn(process.execPath, [...shortRunFlags, command, ...args], {
    cwd,
    env: environment,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  const waiting = new Set<() => void>();
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
    for (const check of waiting) check();
  });
  const ended = once(child, 'close').then(() => ({ exitCode: child.exitCode, stdout, stderr }));
  const says = async (text: string): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const check = (): void => {
      if (stderr.includes(text)) resolve();
    };
    waiting.add(check);
    check();
    await Promise.race([promise, ended]);
    waiting.delete(check);
  };
  return { child, says, ended };
}

/** Runs `millrace …` to its end. */
export async function runMillrace(args: readonly string[], cwd: string): Promise<EndedCommand> {
  const { ended } = await startMillrace(args, cwd);
  return await ended;
}
