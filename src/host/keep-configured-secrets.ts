import { secretAccountFields } from '../engine/providers/provider-account.ts';
import { secretsOfAddress, secretsOfProvider } from '../engine/providers/provider-secrets.ts';
import { keepSecret } from '../telemetry/known-secrets.ts';
import type { SettingNotes } from '../kernel/setting.ts';

/**
 * Has every configured secret taken out of what this process stores, logs, traces and shows. Takes settings that were not
 * checked yet: what is said about wrong ones must not show them either.
 */
export function keepConfiguredSecrets(
  configuration: unknown,
  settings: readonly (Pick<SettingNotes, 'secret'> & { readonly path: string })[],
): void {
  for (const { path, secret } of settings) {
    const value = textOf(valueAt(configuration, path))?.trim();
    if (value === undefined) continue;
    // Of an address only its passwords are secret: texts may well name the host.
    if (isAddress(value)) for (const password of secretsOfAddress(value)) keepSecret(password);
    else if (secret === true) keepSecret(value);
  }
  for (const provider of Object.values(recordOf(valueAt(configuration, 'models.providers')))) {
    const given = recordOf(provider);
    const { apiKey, baseUrl, headers } = given;
    const credentials = {
      ...Object.fromEntries(secretAccountFields.map((field) => [field, textOf(given[field])])),
      apiKey: textOf(apiKey),
      baseUrl: textOf(baseUrl),
      headers: Object.fromEntries(
        Object.entries(recordOf(headers)).map(([name, value]) => [name, textOf(value) ?? '']),
      ),
    };
    for (const own of secretsOfProvider(credentials)) keepSecret(own);
  }
}

/** With its slashes: a key with a colon in it ("gateway:a1b2…") is an address to the parser, too. */
function isAddress(value: string): boolean {
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(value) && URL.canParse(value);
}

function valueAt(configuration: unknown, path: string): unknown {
  let value = configuration;
  for (const name of path.split('.')) value = recordOf(value)[name];
  return value;
}

function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? Object.fromEntries(Object.entries(value)) : {};
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
