import type { INestApplication } from '@nestjs/common';
import { DocumentBuilder, type OpenAPIObject, SwaggerModule } from '@nestjs/swagger';
import { z } from 'zod';
import type { HttpPart } from '../../capabilities/http-part.ts';
import { statusSchemaOf } from '../status-document.ts';
import { errorCodes } from '../../kernel/error-codes.ts';
import { problemMediaType, problemSchema } from '../../http/problem.ts';
import { requiredScopeExtension } from '../../http/caller.ts';
import { readinessSchema } from './readiness.ts';

/*
 * The OpenAPI 3.1 document. Routes come from the controllers, schemas from the very Zod schemas that answers are typed
 * by, and what holds for every route (problem documents, the API key, the request id) is added here, once.
 */

type Schemas = NonNullable<NonNullable<OpenAPIObject['components']>['schemas']>;
type PathItem = OpenAPIObject['paths'][string];
type Operation = NonNullable<PathItem['get']>;
type Bodies = NonNullable<HttpPart['bodies']>;

/** The injection token of the parts that are served. */
export const httpPartsToken = Symbol('millrace:http-parts');

const methods = ['get', 'put', 'post', 'delete', 'patch'] as const;

/** Serves the document at /openapi.json and a page at /docs that needs nothing from elsewhere. */
export function serveOpenApi(app: INestApplication, version: string): void {
  SwaggerModule.setup('docs', app, () => buildOpenApi(app, version), {
    jsonDocumentUrl: '/openapi.json',
    raw: ['json'],
    customSiteTitle: 'Millrace API',
    swaggerOptions: { validatorUrl: null, persistAuthorization: false },
  });
}

/** The document of the application's routes. */
function buildOpenApi(app: INestApplication, version: string): OpenAPIObject {
  const config = new DocumentBuilder()
    .setOpenAPIVersion('3.1.0')
    .setTitle('Millrace')
    .setDescription(
      'Admit work for models, follow it, and see what it cost and for whom. Amounts are exact decimal strings in US ' +
        'dollars. Errors are RFC 9457 problem documents with a code; every answer carries an x-request-id.',
    )
    .setVersion(version)
    .setLicense('Apache-2.0', 'https://www.apache.org/licenses/LICENSE-2.0')
    .addBearerAuth({
      type: 'http',
      scheme: 'bearer',
      description: 'An API key, mr_…, or a token of the identity provider that is configured.',
    })
    .build();
  const parts = app.get<readonly HttpPart[]>(httpPartsToken, { strict: false });
  const bodies = Object.assign({}, ...parts.map((part) => part.bodies ?? {})) as Bodies;
  const document = SwaggerModule.createDocument(app, config);
  document.components = {
    ...document.components,
    schemas: { ...document.components?.schemas, ...schemasOf(parts) },
    responses: { Problem: problemResponse },
  };
  for (const [path, item] of Object.entries(document.paths)) {
    for (const operation of methods.flatMap((method) => item[method] ?? []))
      complete(path, operation, bodies, document.components.schemas ?? {});
  }
  return document;
}

const problemResponse = {
  description: 'A problem document; docs/errors.md lists the codes.',
  headers: {
    'retry-after': { description: 'Seconds to wait, where waiting helps.', schema: { type: 'integer' } },
  },
  content: { [problemMediaType]: { schema: { $ref: '#/components/schemas/Problem' } } },
};

function complete(path: string, operation: Operation, bodies: Bodies, schemas: Schemas): void {
  const problem = { $ref: '#/components/responses/Problem' };
  if (!path.startsWith('/v1/')) return;
  Object.assign(operation.responses, { '400': problem, '401': problem, '403': problem, default: problem });
  const scope: unknown = Reflect.get(operation, requiredScopeExtension);
  // OpenAPI 3.1 names roles so for schemes that have no scopes of their own.
  if (typeof scope === 'string') operation.security = [{ bearer: [scope] }];
  Reflect.deleteProperty(operation, requiredScopeExtension);
  const { requestBody } = operation;
  const content = bodies[operation.operationId ?? ''];
  if (requestBody === undefined || '$ref' in requestBody) return;
  if (content !== undefined) requestBody.content = { ...content };
  if (Object.values(requestBody.content).every(({ schema }) => isMetByNothing(schema, schemas)))
    requestBody.required = false;
}

/** Whether an object without members will do, which a body that is left out stands for. */
function isMetByNothing(schema: Schemas[string] | undefined, schemas: Schemas): boolean {
  if (schema === undefined) return false;
  if ('$ref' in schema) return isMetByNothing(schemas[schema.$ref.split('/').at(-1) ?? ''], schemas);
  return schema.type === 'object' && (schema.required ?? []).length === 0 && schema.anyOf === undefined;
}

function schemasOf(parts: readonly HttpPart[]): Schemas {
  const registry = z.registry<{ readonly id: string }>();
  const own = {
    Status: statusSchemaOf(parts.map(({ status = {} }) => status)),
    Problem: problemSchema,
    Readiness: readinessSchema,
  };
  for (const answers of [...parts.map((part) => part.answers ?? {}), own]) {
    for (const [id, schema] of Object.entries(answers)) registry.add(schema, { id });
  }
  const converted = z.toJSONSchema(registry, { uri: (id) => `#/components/schemas/${id}` });
  const codes = [...Object.keys(errorCodes), ...parts.flatMap((part) => part.errorCodes ?? [])];
  const entries = Object.entries(converted.schemas).map(([name, schema]) => [
    name,
    withoutIdentity(name === 'Problem' ? withCodes(schema, codes) : schema),
  ]);
  // What comes in is described as it is sent, before it is read into dates and defaults.
  const sent = parts
    .flatMap(({ requests = {} }) => Object.entries(requests))
    .map(([name, schema]) => [name, withoutIdentity(z.toJSONSchema(schema, { io: 'input' }))]);
  // OpenAPI 3.1's schemas are JSON Schema; the two packages type the same thing apart.
  return Object.assign(
    Object.fromEntries([...entries, ...sent]) as Schemas,
    ...parts.map((part) => part.schemas ?? {}),
  ) as Schemas;
}

/** A problem carries one of the codes that there are. */
function withCodes(problem: object, codes: readonly string[]): object {
  const properties = 'properties' in problem ? problem.properties : {};
  return { ...problem, properties: { ...(properties as object), code: { type: 'string', enum: codes } } };
}

/** The document says once which dialect its schemas are in, and where they lie. */
function withoutIdentity(schema: object): object {
  return Object.fromEntries(Object.entries(schema).filter(([name]) => name !== '$schema' && name !== '$id'));
}
