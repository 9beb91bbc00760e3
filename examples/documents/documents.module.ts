import { type DynamicModule, Module } from '@nestjs/common';
import { ClassifyStage } from './classify.stage.ts';
import { defaultSettings, type DocumentsSettings, documentsSettings } from './documents-settings.ts';
import { FetchStage } from './fetch.stage.ts';
import { StoreStage } from './store.stage.ts';
import { SummariseStage } from './summarise.stage.ts';

/** The pipeline: fetch → summarise → classify → store. A new stage is a file and a name in this list. */
@Module({
  providers: [
    FetchStage,
    SummariseStage,
    ClassifyStage,
    StoreStage,
    { provide: documentsSettings, useValue: defaultSettings },
  ],
})
export class DocumentsModule {
  /** The same with other settings. */
  static with(settings: Partial<DocumentsSettings>): DynamicModule {
    return {
      module: DocumentsModule,
      providers: [{ provide: documentsSettings, useValue: { ...defaultSettings, ...settings } }],
    };
  }
}
