import { removeSecrets } from '../../telemetry/known-secrets.ts';
import type { JsonRecord } from './token-usage.ts';

const maxColumnCharacters = 256;
/** Of a longer text only the beginning is looked at. */
const maxReadCharacters = 65_536;

/**
 * Text from outside as a text column takes it: PostgreSQL refuses U+0000 and lone surrogates, and one such value
 * would fail the whole group that is committed together. Providers echo what they were asked with, in whatever field:
 * configured secrets are taken out before anything is cut off, since half of one would not be found.
 */
export function columnText(text: string, maxCharacters = maxColumnCharacters): string {
  return removeSecrets(text.slice(0, maxReadCharacters))
    .slice(0, maxCharacters)
    .toWellFormed()
    .replaceAll('\u0000', '\ufffd');
}

/** Usage blocks have some hundred characters; what is far larger is no record of usage, and not kept. */
const maxUsageCharacters = 16_384;

/** A provider's usage block as text; what of it JSON does not carry is left to its own form as text. */
export function usageText(usage: JsonRecord | undefined): string | undefined {
  if (usage === undefined) return undefined;
  try {
    return columnUsage(usage);
  } catch {
    return JSON.stringify({ millrace_refused: { reason: 'the usage block cannot be written as JSON' } });
  }
}

/** A provider's usage block as its column takes it. */
function columnUsage(usage: JsonRecord): string {
  const json = JSON.stringify(usage);
  return json.length <= maxUsageCharacters
    ? removeSecrets(json)
    : JSON.stringify({ omitted: `a usage block of ${json.length} characters` });
}

/** A text that a model reported of its answer, whatever it is in truth: absent where it is nothing, marked where it is no text. */
export function toldText(told: unknown): string | undefined {
  switch (typeof told) {
    case 'string':
      return columnText(told);
    case 'number':
    case 'bigint':
    case 'boolean':
      return String(told);
    default:
      return told === undefined || told === null ? undefined : '(no text)';
  }
}
