import { createHash } from 'node:crypto';
import type { Uuid } from '../../kernel/ids.ts';

/** What is erased: a customer (of one team, or of all), a team's customers, or the tree of one message. */
export type ErasureSelection =
  | { readonly kind: 'customer'; readonly customer: string; readonly team?: string }
  | { readonly kind: 'team'; readonly team: string }
  | { readonly kind: 'message'; readonly rootId: Uuid };

/** The first four parameters of most statements: see erasure-sql.ts. */
export function parametersOf(selection: ErasureSelection, pseudonym: string): readonly unknown[] {
  switch (selection.kind) {
    case 'customer':
      return [selection.customer, selection.team, undefined, pseudonym];
    case 'team':
      return [undefined, selection.team, undefined, pseudonym];
    case 'message':
      return [undefined, undefined, selection.rootId, pseudonym];
  }
}

/** A text that every outbox line of the selection holds. */
export function needleOf(selection: ErasureSelection): string {
  switch (selection.kind) {
    case 'customer':
      return selection.customer;
    case 'team':
      return selection.team;
    case 'message':
      return selection.rootId;
  }
}

/** The line of a usage record or an outcome without what names anybody; undefined when it is not of the selection. */
export function rewrittenLine(
  line: string,
  selection: ErasureSelection,
  pseudonym: string,
): string | undefined {
  const row = JSON.parse(line) as Record<string, unknown>;
  const isSelected =
    selection.kind === 'message'
      ? row['root_id'] === selection.rootId
      : (selection.team === undefined || row['team'] === selection.team) &&
        (selection.kind === 'team' || row['customer'] === selection.customer);
  if (!isSelected) return undefined;
  const { labels: _labels, item: _item, raw_usage: _usage, ...rest } = row;
  return JSON.stringify(selection.kind === 'message' ? rest : { ...rest, customer: pseudonym });
}

/** What the audit says was erased: never the name. */
export function targetOf(id: Uuid, selection: ErasureSelection): string {
  return selection.kind === 'message'
    ? `message ${selection.rootId}`
    : `${selection.kind} sha256:${hashOf(id, selection)}`;
}

/** The erasure's id is the salt: names are few, and a bare digest of one would be found by trying. */
export function hashOf(id: Uuid, selection: ErasureSelection): string {
  return createHash('sha256')
    .update(JSON.stringify([id, ...parametersOf(selection, '')]))
    .digest('hex');
}
