import { invariant } from '../../kernel/invariant.ts';

/** How requests for embeddings of different messages are put into one request to the provider. */
export interface MicroBatchOptions {
  /** The most texts in one request, 2 to 2,048; never more than the provider takes. Default 128. */
  readonly maxInputs?: number;
  /** The most tokens in one request, by the bound of what its texts can be at most (about a token a byte). Default 200,000. */
  readonly maxInputTokens?: number;
  /** How long the first of them waits for others, in milliseconds, 1 to 1,000. Default 10. */
  readonly windowMs?: number;
  /** Whose messages may share a request: those of one customer, of one team (default), or of all teams. */
  readonly among?: 'customer' | 'team' | 'all_teams';
}

export type MicroBatchSettings = Required<MicroBatchOptions>;

const limits = {
  maxInputs: { least: 2, most: 2048, usual: 128 },
  maxInputTokens: { least: 1, most: 10_000_000, usual: 200_000 },
  windowMs: { least: 1, most: 1000, usual: 10 },
} as const;

/** The settings of an option; undefined where nothing is shared. */
export function microBatchSettings(option: boolean | MicroBatchOptions): MicroBatchSettings | undefined {
  if (option === false) return undefined;
  const options = option === true ? {} : option;
  const { among = 'team' } = options;
  invariant(
    ['customer', 'team', 'all_teams'].includes(among),
    `microBatch.among is "customer", "team" or "all_teams", not ${JSON.stringify(among)}`,
  );
  const limitOf = (name: keyof typeof limits): number => {
    const { least, most, usual } = limits[name];
    const value = options[name] ?? usual;
    invariant(
      Number.isInteger(value) && value >= least && value <= most,
      `microBatch.${name} is a whole number from ${least} to ${most}, not ${value}`,
    );
    return value;
  };
  return {
    maxInputs: limitOf('maxInputs'),
    maxInputTokens: limitOf('maxInputTokens'),
    windowMs: limitOf('windowMs'),
    among,
  };
}
