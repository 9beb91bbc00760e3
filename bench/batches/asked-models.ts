import { createOpenAI } from '@ai-sdk/openai';
import type { LanguageModelV4 } from '@ai-sdk/provider';
import { ScriptedModel } from '../../src/testing/scripted-model.ts';

/* The calls that the loop and the pipeline make alike. */

export const modelId = 'gpt-4.1-mini';
export const maxOutputTokens = 400;

export interface Letter {
  readonly subject: string;
  readonly text: string;
}

export function firstPrompt({ subject, text }: Letter): string {
  return `Name the topic of: ${subject}. ${text}`;
}

export function secondPrompt(topic: string): string {
  return `Answer a letter about ${topic}`;
}

/** A model in the process, which answers at once. */
export function scriptedModel(): LanguageModelV4 {
  const model = new ScriptedModel(() => {
    // It remembers every request, for tests.
    model.requests.length = 0;
    return { text: 'An answer of some words.', usage: { uncachedInput: 30, textOutput: 8 } };
  }, modelId);
  return model;
}

/** The model as a program without Millrace has it. */
export function plainModel(simulatorUrl: string | undefined): LanguageModelV4 {
  if (simulatorUrl === undefined) return scriptedModel();
  return createOpenAI({ baseURL: `${simulatorUrl}/openai/v1`, apiKey: 'simulated' })(modelId);
}
