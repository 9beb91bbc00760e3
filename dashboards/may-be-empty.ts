/** Panels that may have nothing to show in a live run: "board uid / panel title", and why. */
export const mayBeEmpty: Readonly<Record<string, string>> = {
  'millrace-schedules / Lag of runs': 'A run has to have begun.',
  'millrace-requests / Time to result': 'A request has to have ended.',
  'millrace-requests / Time to first text': 'Somebody has to have followed a request.',
};
