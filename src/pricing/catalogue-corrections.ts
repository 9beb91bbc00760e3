/*
 * What the packaged catalogue states otherwise than the provider does. Each correction names the provider's own words,
 * and a test holds it against the installed catalogue: one that corrects nothing any more has to go.
 */

/** The size of the input from which long context is billed. */
export interface ContextBandCorrection {
  readonly provider: string;
  readonly models: RegExp;
  /** "Above this many input tokens", as the catalogue has it. */
  readonly listed: number;
  /** The same, as the provider publishes it. */
  readonly published: number;
  /** The provider's page. */
  readonly source: string;
  /** The day on which it said so. */
  readonly readOn: string;
}

/** "For prompts with >272K input tokens, pricing is 2x input and 1.5x output for the full request." */
export const catalogueCorrections: readonly ContextBandCorrection[] = [
  {
    provider: 'openai',
    models: /^gpt-(?:5\.[456]|6)/,
    listed: 271_999,
    published: 272_000,
    source: 'https://developers.openai.com/api/docs/models/gpt-5.6-sol',
    readOn: '2026-11-29',
  },
];
