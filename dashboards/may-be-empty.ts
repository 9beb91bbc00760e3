/** Panels that may have nothing to show on a day like any other: "board uid / panel title", and why. */
export const mayBeEmpty: Readonly<Record<string, string>> = {
  'millrace-overview / Firing alerts': 'Nothing fires on a good day.',
  'millrace-metering / Labels folded into "other"': 'No label is past its cap.',
  'millrace-models / Fallbacks': 'No model has a fallback, or none was needed.',
  'millrace-budgets / Spend over its own baseline': 'A baseline takes days to build.',
};
