/*
 * The forms in which a secret is echoed. A provider may show it as it came, or as it stood in an address, a form, JSON,
 * HTML, or the base64 of a header for Basic authentication, where it begins at any of three places within a group.
 */

const htmlEntities: readonly (readonly [string, string])[] = [
  ['&', '&amp;'],
  ['<', '&lt;'],
  ['>', '&gt;'],
  ['"', '&quot;'],
  ["'", '&#39;'],
];

/** Every form of the secret, itself among them, the longest first. */
export function secretForms(secret: string): readonly string[] {
  const bytes = Buffer.from(secret, 'utf8');
  const hex = bytes.toString('hex');
  const json = JSON.stringify(secret).slice(1, -1);
  const inAddress = encodeURIComponent(secret.toWellFormed());
  const inForm = new URLSearchParams({ s: secret }).toString().slice(2);
  const base64 = [0, 1, 2].flatMap((offset) => base64At(bytes, offset));
  const forms = [
    secret,
    ...[inAddress, inForm, hex.replaceAll(/../g, '%$&')].flatMap((text) => [
      text,
      text.replaceAll(/%[0-9a-f]{2}/gi, (escape) => escape.toLowerCase()),
      text.replaceAll(/%[0-9a-f]{2}/gi, (escape) => escape.toUpperCase()),
    ]),
    encodeURIComponent(inAddress),
    json,
    json.replaceAll('/', String.raw`\/`),
    htmlEntities.reduce((text, [character, entity]) => text.replaceAll(character, entity), secret),
    hex,
    hex.toUpperCase(),
    ...base64,
    ...base64.map((text) => encodeURIComponent(text)),
  ];
  return [...new Set(forms)].toSorted((a, b) => b.length - a.length);
}

/**
 * The characters of a base64 text that the bytes decide alone, when so many others (modulo three) come before them:
 * in both alphabets, and with its padding where nothing comes before or after.
 */
function base64At(bytes: Buffer, offset: number): string[] {
  const whole = Buffer.concat([Buffer.alloc(offset), bytes]);
  const first = Math.ceil((offset * 8) / 6);
  const end = Math.floor((whole.length * 8) / 6);
  return (['base64', 'base64url'] as const).flatMap((alphabet) => {
    const text = whole.toString(alphabet);
    return offset === 0 ? [text, text.slice(first, end)] : [text.slice(first), text.slice(first, end)];
  });
}
