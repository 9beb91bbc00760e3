/* HTML by a template tag: whatever is put in is escaped, except what the tag made itself. */

const markup = Symbol('markup');

/** Text that is HTML. */
export interface Html {
  readonly [markup]: string;
}

type Content = string | number | Html | undefined | readonly (Html | undefined)[];

/** HTML with values in it: texts are escaped, lists joined, and what is undefined is left out. */
export function html(texts: TemplateStringsArray, ...values: readonly Content[]): Html {
  return {
    [markup]: texts.map((text, index) => `${index === 0 ? '' : written(values[index - 1])}${text}`).join(''),
  };
}

/** The HTML as text. */
export function htmlText(value: Html): string {
  return value[markup];
}

/** Text that is taken as HTML: only a constant of the program. */
export function trusted(text: string): Html {
  return { [markup]: text };
}

function written(value: Content): string {
  if (value === undefined) return '';
  if (typeof value === 'number') return String(value);
  if (typeof value === 'string') return escaped(value);
  if ('map' in value) return value.map((part) => written(part)).join('');
  return value[markup];
}

function escaped(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}
