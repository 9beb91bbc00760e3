import type { z } from 'zod';

type OptionalField<T extends z.ZodType> = z.ZodPipe<
  z.ZodOptional<z.ZodNullable<T>>,
  z.ZodTransform<z.output<T> | undefined, z.output<T> | null | undefined>
>;

/** A field that may be absent or null, which are the same to the providers; it reads as undefined. */
export function optionalField<T extends z.ZodType>(schema: T): OptionalField<T> {
  return schema.nullish().transform((value) => value ?? undefined);
}
