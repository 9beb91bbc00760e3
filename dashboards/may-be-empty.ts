/** Panels that may have nothing to show in a live run: "board uid / panel title", and why. None at present. */
export const mayBeEmpty: Readonly<Record<string, string>> = {};
