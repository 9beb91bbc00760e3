import type { Origin } from '../../messages/origin.ts';

/** The parts of a scope. A budget without any of them is about everything. */
const scopeParts = ['team', 'customer', 'feature', 'batch', 'pipeline', 'model'] as const;
type ScopePart = (typeof scopeParts)[number];

/** Whose calls count: all parts that are given must fit. Undefined stands for any. */
export type BudgetScope = Readonly<Record<ScopePart, string | undefined>>;

/** A call, or a message whose calls are not known yet. */
export interface BudgetSubject {
  readonly origin: Origin;
  /** Undefined: none. */
  readonly pipeline: string | undefined;
  /** "provider/model"; undefined while it is not known: then no budget of a model is concerned. */
  readonly model: string | undefined;
}

/** The scope alone, of what has more. */
export function scopeOf({ team, customer, feature, batch, pipeline, model }: BudgetScope): BudgetScope {
  return { team, customer, feature, batch, pipeline, model };
}

/** Whether what the subject causes counts in the scope. */
export function isInScope(scope: BudgetScope, { origin, pipeline, model }: BudgetSubject): boolean {
  const { team, customer, feature, batch } = origin;
  const parts: BudgetScope = { team, customer, feature, batch, pipeline, model };
  return scopeParts.every((part) => {
    const wanted = scope[part];
    return (
      wanted === undefined || (part === 'model' ? fitsModel(wanted, parts.model) : wanted === parts[part])
    );
  });
}

/** Whether everything that counts in the inner scope counts in the outer one, and not the other way round. */
export function contains(outer: BudgetScope, inner: BudgetScope): boolean {
  return covers(outer, inner) && !covers(inner, outer);
}

function covers(outer: BudgetScope, inner: BudgetScope): boolean {
  return scopeParts.every((part) => {
    const [wide, narrow] = [outer[part], inner[part]];
    return wide === undefined || (part === 'model' ? fitsModel(wide, narrow) : wide === narrow);
  });
}

/** "provider/*" is every model of the provider. */
function fitsModel(wanted: string, model: string | undefined): boolean {
  if (model === undefined) return false;
  return wanted === model || (wanted.endsWith('/*') && model.startsWith(wanted.slice(0, -1)));
}

/** The scope in words: "team blue, model openai/gpt-5", or "everything". */
export function scopeText(scope: Partial<BudgetScope>): string {
  const parts = scopeParts.flatMap((part) => (scope[part] === undefined ? [] : [`${part} ${scope[part]}`]));
  return parts.length === 0 ? 'everything' : parts.join(', ');
}
