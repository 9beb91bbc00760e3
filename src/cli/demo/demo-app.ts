import { closeSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { ConfigurationInput } from '../../host/configuration.ts';
import { createMillraceApp, type MillraceApp } from '../../host/create-millrace-app.ts';
import { Host } from '../../host/host.ts';
import { createLogger } from '../../telemetry/logging.ts';
import type { CommandContext } from '../../terminal/command-context.ts';
import type { DemoFolder } from './demo-folder.ts';
import type { ExampleModels, ExamplePipeline } from './example-pipeline.ts';
import type { SimulatorChild } from './simulator-child.ts';

export interface DemoAppOptions {
  readonly context: CommandContext;
  readonly folder: DemoFolder;
  readonly example: ExamplePipeline;
  /** The only folder that its stages read. */
  readonly documentsDirectory: string;
  readonly models: ExampleModels;
  /** Plays the providers; absent when they are real. */
  readonly simulator: SimulatorChild | undefined;
  /** Whether the API is up. */
  readonly http: boolean;
  readonly concurrency: number | undefined;
}

/** The example pipeline at work on a folder. */
export interface DemoApp {
  readonly app: MillraceApp;
  readonly host: Host;
  close(): Promise<void>;
}

// A demo runs embedded in its own folder, whatever servers the environment names for the real installation.
const foreignSettings = /^MILLRACE_(?:CONFIG|ROLES|DATA_DIRECTORY|POSTGRES|QUEUE|CLICKHOUSE|S3)/;

/** Starts the application, embedded in the folder. Its log goes to demo.log there. */
export async function startDemoApp(options: DemoAppOptions): Promise<DemoApp> {
  const { context, folder, example, documentsDirectory, models, simulator, http, concurrency } = options;
  const { directory } = folder;
  const { summaryModel, classificationModel } = models;
  const resultsDirectory = join(directory, 'results');
  const environment = Object.fromEntries(
    Object.entries(context.environment).filter(([name]) => !foreignSettings.test(name)),
  );
  const log = openSync(join(directory, 'demo.log'), 'a');
  try {
    const app = await createMillraceApp({
      // The demo has a display of its own.
      progress: false,
      imports: [
        example.DocumentsModule.with({
          documentsDirectory,
          resultsDirectory,
          summaryModel,
          classificationModel,
        }),
      ],
      http,
      signals: false,
      environment,
      logger: createLogger({ level: 'info', destination: { write: (line) => void writeSync(log, line) } }),
      config: {
        dataDirectory: directory,
        // Any free port, unless one was asked for.
        ...(environment['MILLRACE_HTTP_PORT'] === undefined ? { http: { port: 0 } } : {}),
        ...(concurrency === undefined ? {} : { worker: { concurrency } }),
        ...(simulator === undefined ? {} : { models: { providers: simulatedProviders(simulator.url) } }),
      },
    });
    const close = async (): Promise<void> => {
      await app.close();
      closeSync(log);
    };
    return { app, host: app.nest.get(Host), close };
  } catch (error) {
    closeSync(log);
    throw error;
  }
}

type ProvidersInput = NonNullable<NonNullable<ConfigurationInput['models']>['providers']>;

/** Both vendors, played by the simulator; its bill names the call that each request was for. */
function simulatedProviders(url: string): ProvidersInput {
  // No ordinary word: it is a secret, and taken out of what is shown.
  const apiKey = 'key-for-the-simulator';
  return {
    openai: { kind: 'openai', baseUrl: `${url}/openai/v1`, apiKey, identify: true },
    anthropic: { kind: 'anthropic', baseUrl: `${url}/anthropic/v1`, apiKey, identify: true },
  };
}
