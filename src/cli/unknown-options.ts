import type { Command } from 'commander';

/**
 * Has an option that is not known named before a required one that is missing, which may be the same one with a typing error. For all commands below
 * the given one that have none below them.
 */
export function nameUnknownOptionsFirst(program: Command): void {
  for (const command of program.commands) {
    if (command.commands.length > 0) nameUnknownOptionsFirst(command);
    else nameUnknownFirst(command);
  }
}

function nameUnknownFirst(command: Command): void {
  const parse = command.parseOptions.bind(command);
  command.parseOptions = (args) => {
    const parsed = parse(args);
    // Commander refuses the command line for the unknown one, then.
    if (parsed.unknown.length > 0) for (const option of command.options) option.makeOptionMandatory(false);
    return parsed;
  };
}
