/* Reads a Dockerfile as far as ours goes: stages, and in each the instructions in order. */

/** One instruction, with its continuation lines joined. */
export interface Instruction {
  readonly name: string;
  readonly text: string;
}

/** What follows one FROM. */
export interface BuildStage {
  readonly base: string;
  readonly name: string | undefined;
  readonly instructions: readonly Instruction[];
}

/** A parsed Dockerfile: the arguments before the first FROM, with their defaults, and the stages. */
export interface Dockerfile {
  readonly args: Readonly<Record<string, string>>;
  readonly stages: readonly BuildStage[];
}

const known = new Set(['ARG', 'FROM', 'WORKDIR', 'COPY', 'RUN', 'ENV', 'USER', 'ENTRYPOINT', 'CMD']);

/** Parses the text; an instruction that nothing here can follow is an error, not a line to skip. */
export function parseDockerfile(text: string): Dockerfile {
  const args: Record<string, string> = {};
  const stages: (BuildStage & { instructions: Instruction[] })[] = [];
  for (const line of logicalLines(text)) {
    const [, name = '', rest = ''] = /^([A-Z]+)\s+(.*)$/s.exec(line) ?? [];
    if (!known.has(name)) throw new Error(`cannot follow this line of the Dockerfile: ${line}`);
    const stage = stages.at(-1);
    if (name === 'FROM') {
      const [, base = '', alias] = /^(\S+)(?:\s+AS\s+(\S+))?$/.exec(rest) ?? [];
      stages.push({ base: filled(base, args), name: alias, instructions: [] });
    } else if (stage === undefined) {
      const [key = '', value = ''] = rest.split('=', 2);
      args[key] = value;
    } else {
      stage.instructions.push({ name, text: rest });
    }
  }
  return { args, stages };
}

/** The strings of the JSON form, as ENTRYPOINT and CMD have it. */
export function execForm(text: string): readonly string[] {
  return JSON.parse(text) as readonly string[];
}

function logicalLines(text: string): readonly string[] {
  return text
    .split('\n')
    .filter((line) => !line.trimStart().startsWith('#'))
    .join('\n')
    .replaceAll(/\\\n\s*/g, '')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
}

function filled(text: string, args: Readonly<Record<string, string>>): string {
  return text.replaceAll(/\$\{(\w+)\}/g, (whole, name: string) => args[name] ?? whole);
}
