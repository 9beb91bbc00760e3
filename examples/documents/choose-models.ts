import { defaultSettings, type DocumentsSettings } from './documents-settings.ts';

/** Which models are used, and whether a real provider bills them. */
export interface ModelChoice extends Pick<DocumentsSettings, 'summaryModel' | 'classificationModel'> {
  readonly isSimulated: boolean;
}

/** One key: that provider does everything. Both: each does what it is good at. None: both, played by the simulator. */
export function chooseModels(environment: Readonly<Record<string, string | undefined>>): ModelChoice {
  const { summaryModel: openai, classificationModel: anthropic } = defaultSettings;
  const hasOpenai = (environment['OPENAI_API_KEY'] ?? '') !== '';
  const hasAnthropic = (environment['ANTHROPIC_API_KEY'] ?? '') !== '';
  return {
    summaryModel: hasAnthropic && !hasOpenai ? anthropic : openai,
    classificationModel: hasOpenai && !hasAnthropic ? openai : anthropic,
    isSimulated: !hasOpenai && !hasAnthropic,
  };
}
