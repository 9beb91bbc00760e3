import type { OwnCapability } from './capabilities.ts';

/** What all of the members of a union are together. */
export type UnionToIntersection<Union> = (Union extends unknown ? (one: Union) => void : never) extends (
  all: infer All,
) => void
  ? All
  : never;

/** What the capabilities contribute under one key of the contract, together. */
export type Contributed<Key extends string> = UnionToIntersection<
  OwnCapability extends infer One ? (One extends { readonly [Name in Key]: infer Own } ? Own : never) : never
>;
