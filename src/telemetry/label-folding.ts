import type { LabelValues } from './metric-definition.ts';

/** What stands for every value past a cap. */
const foldedValue = 'other';

interface Caps {
  /** Distinct values of the labels named here. */
  readonly caps: Readonly<Record<string, number>>;
  /** Distinct values of any other open label. */
  readonly defaultCap: number;
}

/** How much room is left: in a crowd stages fold where they are counted by model, too; without room everything folds. */
export type Room = 'enough' | 'crowded' | 'none';

/** Bounds the values of open labels: the first ones seen stay, those past the cap become `other`. */
export class LabelFolding {
  readonly #caps: Caps;
  readonly #seen = new Map<string, Set<string>>();

  constructor(caps: Caps) {
    this.#caps = caps;
  }

  /** The labels to count under, and which of them folded. Series by stage and by model stay longest. */
  fold(
    definitions: Readonly<Record<string, LabelValues>>,
    labels: Readonly<Record<string, string>>,
    room: Room,
  ): { readonly labels: Readonly<Record<string, string>>; readonly foldedNames: readonly string[] } {
    const folded: Record<string, string> = {};
    const foldedNames: string[] = [];
    const isPair = 'stage' in definitions && 'model' in definitions;
    for (const [name, values] of Object.entries(definitions)) {
      const value = labels[name] ?? '';
      const isToFold =
        room === 'none' || (room === 'crowded' && isPair && (name === 'stage' || name === 'owner'));
      const stays = values !== 'open' || value === foldedValue || (!isToFold && this.#admit(name, value));
      folded[name] = stays ? value : foldedValue;
      if (!stays) foldedNames.push(name);
    }
    return { labels: folded, foldedNames };
  }

  #admit(name: string, value: string): boolean {
    let seen = this.#seen.get(name);
    if (seen === undefined) this.#seen.set(name, (seen = new Set()));
    if (seen.has(value)) return true;
    if (seen.size >= (this.#caps.caps[name] ?? this.#caps.defaultCap)) return false;
    seen.add(value);
    return true;
  }
}
