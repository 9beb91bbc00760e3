/*
 * The secrets that this process was configured with. They are taken out of every text before it is stored, logged, traced
 * or shown: a provider's error may echo the key it was asked with, in whatever field. It is one list of the process, since
 * a secret of one host is a secret in all that the process writes.
 */

const hidden = '[redacted]';

/** What is shorter is no secret, and would tear holes into ordinary words. */
const minCharacters = 8;
const maxSecrets = 1000;

/** Every form of every secret, the longest first. */
let forms: readonly string[] = [];
const known = new Set<string>();

/** Remembers a secret, with the forms in which it is echoed: as it is, in an address, in base64, in JSON. */
export function keepSecret(secret: string | undefined): void {
  if (secret === undefined || secret.length < minCharacters || known.has(secret)) return;
  if (known.size >= maxSecrets) return;
  known.add(secret);
  const base64 = Buffer.from(secret, 'utf8').toString('base64');
  const made = [
    secret,
    encodeURIComponent(secret.toWellFormed()),
    JSON.stringify(secret).slice(1, -1),
    base64,
    base64.replaceAll('=', ''),
    Buffer.from(secret, 'utf8').toString('base64url'),
  ];
  forms = [...new Set([...forms, ...made])].toSorted((a, b) => b.length - a.length);
}

/** The text without any of them. */
export function removeSecrets(text: string): string {
  let clean = text;
  for (const form of forms) {
    if (clean.includes(form)) clean = clean.replaceAll(form, hidden);
  }
  return clean;
}
