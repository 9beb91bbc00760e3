import { MillraceClientError } from './client-error.ts';

/*
 * Standard Schema (standardschema.dev), which Zod, Valibot, ArkType and others speak, as far as it is used here. The specification wants its interface
 * copied rather than depended on.
 */

interface Issue {
  readonly message: string;
}
type Validated<Output> =
  { readonly value: Output; readonly issues?: undefined } | { readonly issues: readonly Issue[] };

/** A schema of results, of any library that speaks Standard Schema. */
export interface ResultSchema<Output> {
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => Validated<Output> | Promise<Validated<Output>>;
    readonly types?: { readonly input: unknown; readonly output: Output } | undefined;
  };
}

/** The result as its schema gives it. Throws MillraceClientError CLIENT_RESULT_INVALID. */
export async function readResult<Output>(
  schema: ResultSchema<Output>,
  result: unknown,
  requestId: string,
): Promise<Output> {
  const validated = await schema['~standard'].validate(result);
  if (validated.issues === undefined) return validated.value;
  const faults = validated.issues.slice(0, 5).map(({ message }) => message);
  throw new MillraceClientError(
    'CLIENT_RESULT_INVALID',
    `The result is not what the schema wants: ${faults.join('; ')}`,
    { requestId },
  );
}
