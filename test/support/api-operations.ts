import { z } from 'zod';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { requestTo } from '../integration/request-to.ts';

/** A schema of the document: JSON Schema, with references into the document. */
export type ApiSchema = Readonly<Record<string, unknown>>;

const schema = z.record(z.string(), z.unknown());
const contentSchema = z.record(z.string(), z.object({ schema }));
const documentSchema = z.object({
  paths: z.record(
    z.string(),
    z.record(
      z.string(),
      z.object({
        operationId: z.string(),
        security: z.array(z.record(z.string(), z.array(z.string()))).optional(),
        parameters: z
          .array(
            z.object({
              name: z.string(),
              in: z.enum(['path', 'query', 'header']),
              required: z.boolean().default(false),
              schema,
            }),
          )
          .default([]),
        requestBody: z.object({ content: contentSchema, required: z.boolean().default(false) }).optional(),
        responses: z.record(z.string(), z.object({ content: contentSchema.default({}) })),
      }),
    ),
  ),
  components: z.object({ schemas: z.record(z.string(), schema) }),
});

export interface ApiParameter {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
  readonly required: boolean;
  readonly schema: ApiSchema;
}

/** One operation of an application, as its OpenAPI document has it. */
export interface ApiOperation {
  readonly id: string;
  readonly method: 'get' | 'put' | 'post' | 'delete' | 'patch';
  readonly path: string;
  /** The scope that it names; undefined where it needs no key. */
  readonly scope: string | undefined;
  readonly parameters: readonly ApiParameter[];
  /** The schema of its body, by media type; nothing where it has none. */
  readonly bodies: Readonly<Record<string, ApiSchema>>;
  /** Whether a request without a body is refused. */
  readonly needsBody: boolean;
  /** The schemas of its answers by media type, by status. */
  readonly answers: Readonly<Record<string, Readonly<Record<string, ApiSchema>>>>;
}

/** An OpenAPI document, read. */
export interface ApiDocument {
  readonly operations: readonly ApiOperation[];
  /** The schemas that others refer to, by name. */
  readonly schemas: Readonly<Record<string, ApiSchema>>;
}

/** An OpenAPI document as JSON. */
export function readApiDocument(json: unknown): ApiDocument {
  const { paths, components } = documentSchema.parse(json);
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(
      ([method, { operationId: id, security = [], parameters, requestBody, responses }]) => ({
        id,
        method: method as ApiOperation['method'],
        path,
        scope: security.flatMap(({ bearer = [] }) => bearer)[0],
        parameters,
        bodies: schemasOf(requestBody?.content ?? {}),
        needsBody: requestBody?.required ?? false,
        answers: Object.fromEntries(
          Object.entries(responses).map(([status, { content }]) => [status, schemasOf(content)]),
        ),
      }),
    ),
  );
  return { operations, schemas: components.schemas };
}

function schemasOf(content: z.output<typeof contentSchema>): Readonly<Record<string, ApiSchema>> {
  return Object.fromEntries(Object.entries(content).map(([mediaType, { schema: its }]) => [mediaType, its]));
}

/** Every operation that the application offers. */
export async function operationsOf(app: NestFastifyApplication): Promise<readonly ApiOperation[]> {
  return readApiDocument((await requestTo(app).get('/openapi.json')).body).operations;
}
