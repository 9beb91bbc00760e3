import { declareErrors } from '../../kernel/declared-errors.ts';

/** Why a catalogue is not taken. */
export const priceErrors = declareErrors({
  MILLRACE_PRICE_CATALOGUE_INVALID: {
    status: 422,
    retryable: false,
    what: 'The file is no catalogue of prices; every fault is listed.',
    todo: 'Use the data of the genai-prices package, or a file in its format: a list of providers with their models.',
  },
  MILLRACE_PRICE_CATALOGUE_ABSURD: {
    status: 422,
    retryable: false,
    what: 'The catalogue changes prices more than prices change: by more than five times, to or from nothing, or a tenth of the models would be lost.',
    todo: 'Look at what is listed, compare it with the providers, and give --accept if it is right.',
  },
});
