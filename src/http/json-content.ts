type JsonContent = Readonly<Record<'application/json', { readonly schema: { readonly $ref: string } }>>;

/** The content of an answer in JSON, as the OpenAPI document names its schema. */
export function jsonOf(schema: string): JsonContent {
  return { 'application/json': { schema: { $ref: `#/components/schemas/${schema}` } } };
}
