import { keepSecret } from '../telemetry/known-secrets.ts';
import type { Configuration } from './configuration.ts';
import type { SettingNotes } from './setting.ts';

/** Has every configured secret taken out of what this process stores, logs, traces and shows. */
export function keepConfiguredSecrets(
  configuration: Configuration,
  settings: readonly (SettingNotes & { readonly path: string })[],
): void {
  for (const { path, secret } of settings) {
    if (secret !== true) continue;
    const value = valueAt(configuration, path);
    if (typeof value !== 'string') continue;
    // Of an address only its password is secret: texts may well name the host.
    if (URL.canParse(value)) keepPassword(new URL(value));
    else keepSecret(value);
  }
}

function keepPassword({ password }: URL): void {
  keepSecret(password);
  try {
    keepSecret(decodeURIComponent(password));
  } catch {
    // Not encoded: it is kept as it stands.
  }
}

function valueAt(configuration: unknown, path: string): unknown {
  let value = configuration;
  for (const name of path.split('.')) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = Object.entries(value).find(([key]) => key === name)?.[1];
  }
  return value;
}
