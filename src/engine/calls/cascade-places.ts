import { invariant } from '../../kernel/invariant.ts';
import { stepOf } from './model-use.ts';

/** More models than that are no saving. */
const maxModels = 5;

/** A model of a cascade, and where its calls stand in the record. */
export interface PlaceInCascade {
  readonly reference: string;
  /** From 1. */
  readonly place: number;
  readonly models: number;
  /** A step of its own, so that requests to one model keep their places however many go on to the next. */
  readonly step: string;
}

/** The places of a cascade's models, by their references, smallest first. */
export function placesOfCascade(
  references: readonly string[],
  step: string,
): { readonly smaller: readonly PlaceInCascade[]; readonly last: PlaceInCascade } {
  const models = references.length;
  invariant(
    models >= 2 && models <= maxModels,
    `a cascade has 2 to ${maxModels} models, not ${models}: step "${step}"`,
  );
  invariant(
    new Set(references).size === models,
    `the models of a cascade differ: step "${step}" names one twice`,
  );
  const places = references.map((reference, index) => ({
    reference,
    place: index + 1,
    models,
    step: stepOf({ step: `${step} ${index + 1}/${models}` }),
  }));
  const last = places.at(-1);
  invariant(last !== undefined, 'a cascade has models');
  return { smaller: places.slice(0, -1), last };
}
