import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { DynamicModule } from '@nestjs/common';
import type { Millrace } from '../../host/millrace.ts';
import { invariant } from '../../kernel/invariant.ts';
import { packageRoot } from '../../kernel/package-root.ts';

/*
 * The compiled example, as far as the demo uses it. It is written against the package's public face, like a user's own
 * pipeline, so the sources do not import it: it is loaded when the demo runs.
 */

export interface ExampleDocument {
  readonly id: string;
  readonly file: string;
}

export type ExampleDocuments =
  | { readonly kind: 'found'; readonly folder: string; readonly documents: readonly ExampleDocument[] }
  | { readonly kind: 'missing' | 'empty'; readonly folder: string };

export interface ExampleModels {
  readonly summaryModel: string;
  readonly classificationModel: string;
  readonly isSimulated: boolean;
}

/** The part that says which provider is needed: it loads in no time, so that the provider can start first. */
export interface ExampleModelChoice {
  chooseModels(environment: Readonly<Record<string, string | undefined>>): ExampleModels;
}

export interface ExamplePipeline {
  findDocuments(folder: string): Promise<ExampleDocuments>;
  findPackageTexts(from: string): Promise<ExampleDocuments>;
  admitDocuments(
    millrace: Millrace,
    documents: readonly ExampleDocument[],
    options: {
      readonly batch: string;
      readonly concurrency: number;
      readonly signal?: AbortSignal;
      readonly onAdmitted?: () => void;
    },
  ): Promise<number>;
  readonly DocumentsModule: {
    with(settings: {
      readonly documentsDirectory: string;
      readonly resultsDirectory: string;
      readonly summaryModel: string;
      readonly classificationModel: string;
    }): DynamicModule;
  };
}

/** Loads how the example chooses its models. */
export async function loadModelChoice(): Promise<ExampleModelChoice> {
  return (await loadFile('choose-models.js')) as ExampleModelChoice;
}

/** Loads the example. */
export async function loadExample(): Promise<ExamplePipeline> {
  const files = ['admit-documents.js', 'documents.module.js', 'find-documents.js'];
  const loaded = await Promise.all(files.map((file) => loadFile(file)));
  // The types of the two sides are compared by a test.
  return Object.assign({}, ...loaded) as ExamplePipeline;
}

function loadFile(file: string): Promise<object> {
  const path = join(packageRoot(), 'dist', 'examples', 'documents', file);
  invariant(existsSync(path), `the package is built: ${path} is there`);
  return import(pathToFileURL(path).href) as Promise<object>;
}
