import type { Command } from 'commander';
import { messageFilterFields } from './message-requests.ts';
import { type StoreOptions, withStoreOptions } from '../../terminal/command-context.ts';
import { namesOption } from '../../terminal/option-values.ts';

/** The filters of `millrace messages` and `millrace tail`. */
export interface MessageFilterOptions extends StoreOptions {
  readonly state?: readonly string[];
  readonly stage?: readonly string[];
  readonly pipeline?: readonly string[];
  readonly owner?: readonly string[];
  readonly team?: readonly string[];
  readonly customer?: readonly string[];
  readonly feature?: readonly string[];
  readonly batch?: readonly string[];
  readonly type?: readonly string[];
  readonly eventId?: readonly string[];
  readonly errorCode?: readonly string[];
  readonly from?: string;
  readonly to?: string;
  readonly json?: boolean;
}

/** Adds the filters, each of which may be given more than once. */
export function withMessageFilters(command: Command): Command {
  for (const field of messageFilterFields) {
    const name = field.replace('_', '-');
    command.option(
      `--${name} <${name}>`,
      `only of this ${field.replace('_', ' ')}; repeat it for more`,
      namesOption,
    );
  }
  return withStoreOptions(command)
    .option('--from <time>', 'written from this moment on: 2026-03-01 or 2026-03-01T12:00:00Z')
    .option('--to <time>', 'written before this moment')
    .option('--json', 'JSON, as the API answers');
}

/** The filters as the API names them. */
export function messageFilterOf(options: MessageFilterOptions): Readonly<Record<string, unknown>> {
  const { state, stage, pipeline, owner, team, customer, feature, batch, type, from, to } = options;
  const { eventId: event_id, errorCode: error_code } = options;
  const filter = { state, stage, pipeline, owner, team, customer, feature, batch, type, from, to };
  return given({ ...filter, event_id, error_code });
}

/** Without what was not given. */
export function given(options: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}
