/** A share of a stage's capacity. `short` is for work that is estimated to be small. */
export const lanes = ['interactive', 'standard', 'bulk', 'short'] as const;
export type Lane = (typeof lanes)[number];

export const defaultLane: Lane = 'standard';
