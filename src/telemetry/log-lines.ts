import { z } from 'zod';

const lineSchema = z.looseObject({ time: z.string(), level: z.string(), message: z.string().optional() });

interface LineWriter {
  write(line: string): void;
}

/** Takes JSON log lines and writes them for a person: "12:00:01.250 INFO  message name=value …". */
export function prettyLines(destination: LineWriter): LineWriter {
  return {
    write(line) {
      destination.write(prettyLine(line));
    },
  };
}

function prettyLine(line: string): string {
  const { time, level, message = '', ...fields } = lineSchema.parse(JSON.parse(line));
  const stack = stackOf(fields['error']);
  const parts = Object.entries(fields).map(([name, value]) => `${name}=${fieldText(value)}`);
  const head = `${time.slice(11, 23)} ${level.toUpperCase().padEnd(5)} ${message}`;
  return `${[head, ...parts].join(' ')}\n${stack === undefined ? '' : `${stack}\n`}`;
}

function fieldText(value: unknown): string {
  if (typeof value === 'string') return /[\s"=]/.test(value) ? JSON.stringify(value) : value;
  if (typeof value === 'object' && value !== null && 'stack' in value) {
    return JSON.stringify({ ...value, stack: undefined });
  }
  return JSON.stringify(value);
}

function stackOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('stack' in error)) return undefined;
  return typeof error.stack === 'string' ? error.stack : undefined;
}
