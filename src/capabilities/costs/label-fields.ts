import { invariant } from '../../kernel/invariant.ts';
import { labelKeyPattern } from '../../messages/origin.ts';

/*
 * Labels of work as fields of reports: `label:region` is the value that the label `region` has, and empty where the work has none.
 * Their names come from outside and become SQL: only those of the form that origins allow, which needs no quoting, get here.
 */

/** A label as a field: "label:region". */
export type LabelField = `label:${string}`;

const prefix = 'label:';

/** Labels that one question groups or filters by: no rollup has them, so that each is read of every record of the period. */
export const maxLabelFields = 4;

/** Whether a text names a label, whatever the form of its key. */
export function isLabelField(text: string): text is LabelField {
  return text.startsWith(prefix);
}

/** Whether the key of a label has the form that origins allow. */
export function isWellFormed(field: LabelField): boolean {
  return labelKeyPattern.test(field.slice(prefix.length));
}

/** The name of its column in statements: one name for each key, of letters, digits and underscores. */
export function labelColumn(field: LabelField): string {
  const key = keyOf(field);
  return `label_${key.replaceAll(/[^a-z0-9]/g, (sign) => `_${sign.charCodeAt(0).toString(16)}`)}`;
}

/** Its value in a row of `usage`, as SQL. */
export function labelValueSql(field: LabelField): string {
  return `labels['${keyOf(field)}']`;
}

function keyOf(field: LabelField): string {
  invariant(isWellFormed(field), 'a label has the form of a key');
  return field.slice(prefix.length);
}
