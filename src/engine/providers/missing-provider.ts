import { kindNamed, knownKindsText } from './provider-kinds.ts';
import { variablesOf } from './provider-variables.ts';

/** How a provider of this name is had: by its key, or for a trial without; the names that there are, when it is none of them. */
export function missingProviderAdvice(name: string): string {
  const kind = kindNamed(name);
  if (kind === undefined)
    return `Correct the name, or configure it under models.providers. Names that need no other setting are: ${knownKindsText()}.`;
  const variables = variablesOf(kind).apiKey;
  const byKey =
    variables === undefined
      ? 'Configure'
      : `Set ${variables.join(' or ')} to a key of the provider, or configure`;
  return `${byKey} models.providers.${name} (docs/providers.md). To try without one, run "millrace simulator" and name it under models.providers (docs/stages.md).`;
}
