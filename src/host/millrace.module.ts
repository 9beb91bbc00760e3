import {
  type OnApplicationShutdown,
  type DynamicModule,
  Inject,
  Module,
  type OnApplicationBootstrap,
  type Provider,
} from '@nestjs/common';
import { DiscoveryModule, DiscoveryService } from '@nestjs/core';
import { AppError } from '../kernel/app-error.ts';
import { Admissions } from '../engine/pipeline/admissions.ts';
import type { RegisteredStage } from '../engine/pipeline/stage-registry.ts';
import { stageMetadata } from '../engine/pipeline/stage.decorator.ts';
import type { StageDefinition } from '../engine/pipeline/stage-definition.ts';
import type { StageHandler } from '../engine/pipeline/stage-context.ts';
import type { ProviderConfig } from '../engine/providers/provider-config.ts';
import type { Logger } from '../telemetry/logger.ts';
import { createLogger } from '../telemetry/logging.ts';
import type { Configuration, ConfigurationInput } from './configuration.ts';
import { Host } from './host.ts';
import { loadConfiguration, unknownVariablesOf } from './load-configuration.ts';
import { Millrace } from './millrace.ts';

/** How Millrace is set up inside an application. */
export interface MillraceModuleOptions {
  /** Settings in code; they override the environment and the configuration file. */
  readonly config?: ConfigurationInput;
  /** Path of a JSON configuration file. */
  readonly configFile?: string;
  /** Model providers besides the configured ones, by name: models in this process. */
  readonly modelProviders?: Readonly<Record<string, ProviderConfig>>;
  /** Where log lines go; standard output in JSON unless given. */
  readonly logger?: Logger;
  /** Environment variables. Default the process's own. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

@Module({ imports: [DiscoveryModule] })
class MillraceLifecycle implements OnApplicationBootstrap, OnApplicationShutdown {
  readonly #host: Host;
  readonly #discovery: DiscoveryService;

  constructor(@Inject(Host) host: Host, @Inject(DiscoveryService) discovery: DiscoveryService) {
    this.#host = host;
    this.#discovery = discovery;
  }

  async onApplicationBootstrap(): Promise<void> {
    try {
      for (const { metadata, take } of this.#host.marked) take(this.#marked(metadata));
      await this.#host.start(this.#discoverStages());
    } catch (error) {
      // Nest runs no shutdown hooks of an application that did not start.
      await this.#host.stop();
      throw error;
    }
  }

  async onApplicationShutdown(): Promise<void> {
    await this.#host.stop();
  }

  /** Every provider of the application whose class is marked `@Stage(…)`. */
  #discoverStages(): readonly RegisteredStage[] {
    return this.#marked(stageMetadata).map(({ value, instance }) => ({
      // @Stage is typed so that only a handler of this definition's data can carry it.
      definition: value as StageDefinition,
      handler: instance as StageHandler,
    }));
  }

  /** Every provider of the application whose class carries metadata under the key. */
  #marked(key: string): readonly { readonly value: unknown; readonly instance: unknown }[] {
    return this.#discovery.getProviders().flatMap(({ instance, metatype }) => {
      if (typeof metatype !== 'function') return [];
      const value: unknown = Reflect.getMetadata(key, metatype);
      return value === undefined ? [] : [{ value, instance: instance as unknown }];
    });
  }
}

/** Millrace in a Nest application: `imports: [MillraceModule.forRoot()]`, stages as providers anywhere. */
@Module({})
export class MillraceModule {
  static forRoot(options: MillraceModuleOptions = {}): DynamicModule {
    return moduleAround({ provide: Host, useFactory: () => openHost(options) });
  }

  /** Around a host that is open already. */
  static forHost(host: Host): DynamicModule {
    return moduleAround({ provide: Host, useValue: host });
  }
}

/** Around a host that whoever makes the application opens, and stops when it cannot be made. */
export function moduleOpening(open: () => Promise<Host>): DynamicModule {
  return moduleAround({ provide: Host, useFactory: open });
}

function moduleAround(hostProvider: Provider): DynamicModule {
  const providers: Provider[] = [
    hostProvider,
    { provide: Millrace, useFactory: (host: Host) => new Millrace(host), inject: [Host] },
    { provide: Admissions, useFactory: (host: Host) => host.admissions, inject: [Host] },
  ];
  return {
    module: MillraceModule,
    global: true,
    imports: [MillraceLifecycle],
    providers,
    exports: providers,
  };
}

/** Every option, for those that JavaScript lets through. */
const optionNames: Readonly<Record<keyof MillraceModuleOptions, true>> = {
  config: true,
  configFile: true,
  modelProviders: true,
  logger: true,
  environment: true,
};

/** A setting that is put beside `config` would be ignored without a word. */
function requireKnownOptions(options: MillraceModuleOptions): void {
  const faults = Object.keys(options)
    .filter((name) => !Object.hasOwn(optionNames, name))
    .map((field) => ({
      field,
      problem: `is no option; there are ${Object.keys(optionNames).join(', ')}. Settings stand in "config"`,
    }));
  if (faults.length === 0) return;
  const told = faults.map(({ field, problem }) => `  ${field}: ${problem}`).join('\n');
  throw new AppError('MILLRACE_CONFIG_INVALID', `The options of the module are not valid:\n${told}`, {
    faults,
  });
}

/** The configuration that the options lead to. Throws MILLRACE_CONFIG_INVALID with every fault. */
export function configurationOfModule(options: MillraceModuleOptions): Configuration {
  requireKnownOptions(options);
  return loadConfiguration({
    environment: options.environment ?? process.env,
    ...(options.configFile === undefined ? {} : { file: options.configFile }),
    ...(options.config === undefined ? {} : { options: options.config }),
  });
}

/** Opens the host that the options lead to; `onOpening` is told which store is opened next. */
export function openHost(options: MillraceModuleOptions, onOpening?: (what: string) => void): Promise<Host> {
  const configuration = configurationOfModule(options);
  return Host.open({
    configuration,
    ...(onOpening === undefined ? {} : { onOpening }),
    unknownVariables: unknownVariablesOf(options.environment ?? process.env),
    logger: options.logger ?? createLogger({ level: configuration.logging.level }),
    ...(options.modelProviders === undefined ? {} : { modelProviders: options.modelProviders }),
  });
}
