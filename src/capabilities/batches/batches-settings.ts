import { z } from 'zod';
import { providerModeSettings } from './mode/provider-mode-settings.ts';

/** The section `batches` of the configuration. */
export const batchesSettings = z.strictObject({ provider: providerModeSettings }).prefault({});
