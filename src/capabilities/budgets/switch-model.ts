import { missingProviderAdvice } from '../../engine/providers/missing-provider.ts';
import { type ModelStateSources, stateOfModel } from '../../engine/providers/model-state.ts';
import type { BudgetDefinition } from './budget-definition.ts';

/** Why a budget cannot switch calls to its other model, and what to do about it. */
export interface SwitchProblem {
  readonly what: string;
  readonly todo: string;
}

/**
 * Why calls cannot be switched to the model that the budget names; undefined when they can, or it names none. What is switched is no longer in
 * the budget: a model without a price is refused unless the budget lets calls without one pass.
 */
export function switchProblem(
  { switchTo, unpriced }: Pick<BudgetDefinition, 'switchTo' | 'unpriced'>,
  sources: ModelStateSources,
): SwitchProblem | undefined {
  if (switchTo === undefined) return undefined;
  switch (stateOfModel(switchTo, sources)) {
    case 'priced':
      return undefined;
    case 'unknown':
      return {
        what: `${switchTo} is no model of a configured provider, and calls would wait`,
        todo: missingProviderAdvice(switchTo.split('/', 1)[0] ?? ''),
      };
    case 'unpriced':
      if (unpriced === 'allow') return undefined;
      return {
        what: `no price is known for ${switchTo}, and calls would be unpriced`,
        todo: 'Correct its name, add it to the price overlay (docs/prices.md), or set unpriced to "allow".',
      };
  }
}
