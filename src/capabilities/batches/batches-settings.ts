import { z } from 'zod';
import { intakeSettings } from './intake/intake-settings.ts';
import { providerModeSettings } from './mode/provider-mode-settings.ts';

/** The section `batches` of the configuration. */
export const batchesSettings = z
  .strictObject({ ...intakeSettings, provider: providerModeSettings })
  .prefault({});
