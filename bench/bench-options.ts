import { parseArgs, type ParseArgsOptionsConfig } from 'node:util';

type Flags<Options extends ParseArgsOptionsConfig> = ReturnType<
  typeof parseArgs<{ options: Options }>
>['values'];

/** The options of a bench from its command line. `--help` prints what it is and ends the process, before anything is started. */
export function benchOptions<const Options extends ParseArgsOptionsConfig>(
  help: string,
  options: Options,
): Flags<Options> {
  const { values } = parseArgs({ options: { ...options, help: { type: 'boolean' } } });
  if ('help' in values && values['help'] === true) {
    process.stdout.write(help);
    process.exit(0);
  }
  return values;
}
