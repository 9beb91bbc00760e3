/** What the stages of this pipeline can be told. */
export interface DocumentsSettings {
  /** The only folder whose files are read. Without it: the installed packages around the example. */
  readonly documentsDirectory?: string;
  /** Where the results go: a folder for each team, in it one file a document. */
  readonly resultsDirectory: string;
  /** "provider/model" of the summaries. */
  readonly summaryModel: string;
  /** "provider/model" of the classification. */
  readonly classificationModel: string;
}

/** By which the settings are injected. */
export const documentsSettings = Symbol('documents settings');

export const defaultSettings: DocumentsSettings = {
  resultsDirectory: '.millrace/results',
  summaryModel: 'openai/gpt-5-mini',
  classificationModel: 'anthropic/claude-haiku-4-5',
};
