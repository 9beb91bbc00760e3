import { z } from 'zod';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { requestTo } from '../integration/request-to.ts';

const documentSchema = z.object({
  paths: z.record(
    z.string(),
    z.record(
      z.string(),
      z.object({
        operationId: z.string(),
        security: z.array(z.record(z.string(), z.array(z.string()))).optional(),
      }),
    ),
  ),
});

/** One operation of an application, as its OpenAPI document has it. */
export interface ApiOperation {
  readonly id: string;
  readonly method: 'get' | 'put' | 'post' | 'delete' | 'patch';
  readonly path: string;
  /** The scope that it names; undefined where it needs no key. */
  readonly scope: string | undefined;
}

/** Every operation that the application offers. */
export async function operationsOf(app: NestFastifyApplication): Promise<readonly ApiOperation[]> {
  const { paths } = documentSchema.parse((await requestTo(app).get('/openapi.json')).body);
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { operationId: id, security = [] }]) => ({
      id,
      method: method as ApiOperation['method'],
      path,
      scope: security.flatMap(({ bearer = [] }) => bearer)[0],
    })),
  );
}
