/** What the cells of a CSV are: texts, or JSON where they are JSON. */
export const cellTypes = ['text', 'json'] as const;
export type CellTypes = (typeof cellTypes)[number];
