import type { Provider, Type } from '@nestjs/common';
import type { OpenAPIObject } from '@nestjs/swagger';
import type { z } from 'zod';

/** The class, or another token, by which a service is asked for. */
export type ServiceToken<Service = unknown> = (abstract new (...args: never[]) => Service) | symbol;

type Schemas = NonNullable<NonNullable<OpenAPIObject['components']>['schemas']>;
type Content = Readonly<Record<string, { readonly schema: Schemas[string] }>>;

/** A capability's part of the HTTP API. */
export interface HttpPart {
  readonly controllers?: readonly Type[];
  /** What its controllers are given of the services that it offers. */
  readonly services: readonly ServiceToken[];
  /** What they need besides. */
  readonly providers?: readonly Provider[];
  /** The Zod schemas of its answers, by their names in the OpenAPI document. */
  readonly answers?: Readonly<Record<string, z.ZodType>>;
  /** The same of what is sent, described as it is before defaults and dates are read. */
  readonly requests?: Readonly<Record<string, z.ZodType>>;
  /** Schemas of the document that no Zod schema stands behind. */
  readonly schemas?: Schemas;
  /** The codes of its own errors. */
  readonly errorCodes?: readonly string[];
  /** Its members of the status. */
  readonly status?: Readonly<Record<string, z.ZodType>>;
  /** Request bodies of several media types, by operation id. */
  readonly bodies?: Readonly<Record<string, Content>>;
}
