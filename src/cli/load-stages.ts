import 'reflect-metadata';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { DynamicModule, Provider, Type } from '@nestjs/common';
import { AppError } from '../kernel/app-error.ts';
import type { StageDefinition } from '../engine/pipeline/stage-definition.ts';
import { validatorMetadata } from '../capabilities/batches/done/batch-validator.ts';
import { stageMetadata } from '../engine/pipeline/stage.decorator.ts';

/** What a file of stages exports. */
export interface LoadedStages {
  readonly imports: readonly (Type | DynamicModule)[];
  readonly providers: readonly Provider[];
}

/** Under which keys Nest's @Module keeps what it was given. */
const moduleKeys = ['imports', 'providers', 'controllers', 'exports'];

/**
 * Loads a compiled JavaScript file and takes every exported Nest module (a class or a dynamic module) and every class
 * marked `@Stage` or `@BatchValidator`. Throws MILLRACE_STAGES_UNUSABLE.
 */
export async function loadStages(file: string): Promise<LoadedStages> {
  const path = resolve(file);
  if (!existsSync(path)) throw new AppError('MILLRACE_STAGES_UNUSABLE', `There is no file ${path}.`);
  const exported = Object.values(await importFile(path));
  const imports = exported.filter((value) => isModule(value));
  const providers = exported.filter((value) => isStage(value) || isValidator(value));
  if (imports.length + providers.length === 0) {
    throw new AppError(
      'MILLRACE_STAGES_UNUSABLE',
      `${path} exports neither a Nest module nor a class marked @Stage.`,
    );
  }
  return { imports, providers };
}

/** The definitions of the stages: exported classes, and the providers of exported modules themselves. */
export function definitionsOf({ imports, providers }: LoadedStages): readonly StageDefinition[] {
  const inModules = imports.flatMap((module): unknown[] =>
    typeof module === 'function'
      ? ((Reflect.getMetadata('providers', module) as unknown[] | undefined) ?? [])
      : (module.providers ?? []),
  );
  return [...providers, ...inModules]
    .filter((value) => isStage(value))
    .map((stage) => Reflect.getMetadata(stageMetadata, stage) as StageDefinition);
}

async function importFile(path: string): Promise<Record<string, unknown>> {
  try {
    return (await import(pathToFileURL(path).href)) as Record<string, unknown>;
  } catch (error) {
    throw new AppError('MILLRACE_STAGES_UNUSABLE', `${path} cannot be loaded.`, { cause: error });
  }
}

function isStage(value: unknown): value is Type {
  return typeof value === 'function' && Reflect.hasOwnMetadata(stageMetadata, value);
}

function isValidator(value: unknown): value is Type {
  return typeof value === 'function' && Reflect.hasOwnMetadata(validatorMetadata, value);
}

function isModule(value: unknown): value is Type | DynamicModule {
  if (typeof value === 'function') return moduleKeys.some((key) => Reflect.hasOwnMetadata(key, value));
  return (
    typeof value === 'object' && value !== null && 'module' in value && typeof value.module === 'function'
  );
}
