import { z } from 'zod';
import type { ApiDocument, ApiSchema } from './api-operations.ts';

type JsonSchema = Parameters<typeof z.fromJSONSchema>[0];

const place = '#/components/schemas/';

/** Checks values against the schemas of an OpenAPI document. */
export class ApiValidator {
  readonly #schemas: ApiDocument['schemas'];
  readonly #read = new Map<string, z.ZodType>();

  constructor({ schemas }: Pick<ApiDocument, 'schemas'>) {
    this.#schemas = schemas;
  }

  /** Why the value is not as the schema has it; undefined when it is. */
  fault(schema: ApiSchema, value: unknown): string | undefined {
    const result = this.#reader(schema).safeParse(value);
    return result.success ? undefined : z.prettifyError(result.error);
  }

  #reader(schema: ApiSchema): z.ZodType {
    const text = JSON.stringify(schema);
    const known = this.#read.get(text);
    if (known !== undefined) return known;
    // Only what it refers to: reading all schemas takes a third of a second.
    const names = new Set<string>();
    this.#follow(text, names);
    const whole = {
      ...schema,
      $defs: Object.fromEntries([...names].map((name) => [name, this.#schemas[name]])),
    };
    const local: unknown = JSON.parse(JSON.stringify(whole).replaceAll(place, '#/$defs/'));
    const read = z.fromJSONSchema(local as JsonSchema);
    this.#read.set(text, read);
    return read;
  }

  #follow(text: string, names: Set<string>): void {
    for (const [, name = ''] of text.matchAll(/"#\/components\/schemas\/([^"]+)"/g)) {
      if (names.has(name)) continue;
      names.add(name);
      this.#follow(JSON.stringify(this.#schemas[name]), names);
    }
  }
}
