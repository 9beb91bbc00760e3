import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Logger } from '../telemetry/logger.ts';
import type { Configuration } from './configuration.ts';

/**
 * Says what a start does before it listens, which takes seconds where embedded stores are made: with `write` a line a
 * store, otherwise one line in the log.
 */
export function openingLines(
  { dataDirectory, ledger }: Pick<Configuration, 'dataDirectory' | 'ledger'>,
  write: ((line: string) => void) | undefined,
  logger: Logger,
): (what: string) => void {
  const directory = resolve(dataDirectory);
  const isEmbedded = ledger.url === undefined;
  const isFirst = isEmbedded && !existsSync(join(directory, 'ledger'));
  const where = isEmbedded ? ` in ${directory}` : '';
  const patience = isFirst ? ': the first start makes them, which takes some seconds' : '';
  let isTold = false;
  return (what) => {
    if (!isTold) {
      isTold = true;
      if (write === undefined) logger.info({ dataDirectory: directory }, `opening the stores${patience}`);
      else write(`Opening the stores${where}${patience}`);
    }
    write?.(`  opening ${what}`);
  };
}
