import { intakeSettings } from './intake/intake-settings.ts';
import { providerModeSettings } from './mode/provider-mode-settings.ts';

/** The section `batches` of the configuration. */
export const batchesSettings = intakeSettings.extend({ provider: providerModeSettings }).prefault({});
