/** Panels that may have nothing to show in a live run: "board uid / panel title", and why. */
export const mayBeEmpty: Readonly<Record<string, string>> = {
  'millrace-schedules / Lag of runs': 'A run has to have begun.',
};
