import { isUuid } from '../kernel/ids.ts';

const longest = 40;

/** The item of a message as a list shows it: what its sender calls it, and nothing where only an id was made for it. */
export function itemName(item: string): string {
  if (isUuid(item)) return '';
  return item.length <= longest ? item : `${item.slice(0, longest - 1).toWellFormed()}…`;
}
