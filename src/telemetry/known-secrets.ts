import { replaceRead } from './escaped-text.ts';
import { secretForms } from './secret-forms.ts';

/*
 * The secrets that this process was configured with. They are taken out of every text before it is stored, logged, traced
 * or shown: a provider's error may echo the key it was asked with, in whatever field. It is one list of the process, since
 * a secret of one host is a secret in all that the process writes.
 */

const hidden = '[redacted]';

/** What is shorter is no secret, and would tear holes into ordinary words. */
const minCharacters = 8;
const maxSecrets = 1000;

/** Patterns of so many forms; a single one of thousands would be refused by the engine. */
const formsAPattern = 500;

/** Of every form of every secret; undefined when some came since it was made. */
let patterns: readonly RegExp[] | undefined = [];
const known = new Set<string>();

/**
 * Remembers a secret, with the forms in which it is echoed. Without white space around it, such as the newline at the end
 * of a file: it is sent without, and what is sent with it is found by the rest.
 */
export function keepSecret(given: string | undefined): void {
  const secret = given?.trim();
  if (secret === undefined || secret.length < minCharacters || known.has(secret)) return;
  if (known.size >= maxSecrets) return;
  known.add(secret);
  patterns = undefined;
}

/** The text without any of them, also where JSON's escapes hide them. */
export function removeSecrets(text: string): string {
  patterns ??= patternsOf([...known]);
  return without(patterns, text);
}

/** Takes these secrets alone out of a text, where the others may be ordinary words: for the data of answers. */
export function removerOf(secrets: readonly string[]): (text: string) => string {
  const own = patternsOf(secrets);
  return (text) => without(own, text);
}

/** One pass over a text for many forms, the longest first where several begin at one place. */
function patternsOf(secrets: readonly string[]): readonly RegExp[] {
  const forms = secrets.flatMap((secret) => secretForms(secret));
  const list = [...new Set(forms)].toSorted((a, b) => b.length - a.length);
  const made: RegExp[] = [];
  for (let start = 0; start < list.length; start += formsAPattern) {
    const some = list.slice(start, start + formsAPattern);
    made.push(new RegExp(some.map((form) => escaped(form)).join('|'), 'g'));
  }
  return made;
}

function without(unwanted: readonly RegExp[], text: string): string {
  let clean = text;
  for (const pattern of unwanted) clean = clean.replace(pattern, hidden);
  return replaceRead(clean, unwanted, hidden);
}

function escaped(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, String.raw`\$&`);
}
