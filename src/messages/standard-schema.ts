/*
 * The part of Standard Schema (https://standardschema.dev, version 1) that Millrace uses: any schema library
 * that implements it may describe message data. Zod, Valibot and ArkType do.
 */

export interface StandardSchema<Input = unknown, Output = Input> {
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => StandardResult<Output> | Promise<StandardResult<Output>>;
    readonly types?: { readonly input: Input; readonly output: Output } | undefined;
  };
}

export type StandardResult<Output> =
  { readonly value: Output; readonly issues?: undefined } | { readonly issues: readonly StandardIssue[] };

export interface StandardIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

export type OutputOf<Schema extends StandardSchema> = NonNullable<Schema['~standard']['types']>['output'];
export type InputOf<Schema extends StandardSchema> = NonNullable<Schema['~standard']['types']>['input'];
