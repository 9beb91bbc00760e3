/*
 * What is wrong with something that was given. Faults repeat what was sent, whose names and values may be as long as a body: every part of a fault is
 * cut where it is made, and so is a text that names them.
 */

/** A structured fault inside a larger error: which field, and what is wrong with it. */
export interface Fault {
  readonly field: string;
  readonly problem: string;
}

/** The most faults of one error. */
export const maxFaults = 1000;
const maxFieldCharacters = 300;
const maxProblemCharacters = 2000;
/** Of a text that names faults. */
const maxToldCharacters = 4000;

/** A place by the names and indexes that lead to it: "data.items.3". */
export function fieldOf(path: Iterable<unknown>): string {
  let field = '';
  for (const part of path) {
    const name = String(part);
    // Never longer than what is kept and one part of it more: parts are cut before they are joined.
    field = field === '' ? cut(name, maxFieldCharacters) : `${field}.${cut(name, maxFieldCharacters)}`;
    if (field.length > maxFieldCharacters) break;
  }
  return cut(field, maxFieldCharacters);
}

/** Faults as an error carries them: bounded in number and in each of their parts. */
export function boundedFaults(faults: readonly Fault[]): readonly Fault[] {
  return faults.slice(0, maxFaults).map(({ field, problem }) => ({
    field: cut(field, maxFieldCharacters),
    problem: cut(problem, maxProblemCharacters),
  }));
}

/** The faults as one text, as far as it goes. */
export function toldFaults(faults: readonly Fault[]): string {
  const told: string[] = [];
  let characters = 0;
  for (const { field, problem } of faults) {
    const text = `${field}: ${problem}`;
    characters += text.length;
    if (characters > maxToldCharacters && told.length > 0) break;
    told.push(cut(text, maxToldCharacters));
  }
  const left = faults.length - told.length;
  return `${told.join('; ')}${left === 0 ? '' : `; and ${left} more`}`;
}

/** The text, cut where it is longer. A copy: a part of a long text would keep all of it in memory. */
export function cut(text: string, characters: number): string {
  if (text.length <= characters) return text;
  return Buffer.from(`${text.slice(0, characters)}…`.toWellFormed()).toString();
}
