/*
 * Which names mean the same model. A call is asked for by one name ("gpt-5-mini") and answered under another
 * ("gpt-5-mini-2025-08-07"); a bill has either. Names that some call joins are one family, and so is the name that the bill
 * has with its maker in front ("openai/gpt-5-mini"), or with the date of a snapshot, when the ledger has no call of just that name.
 */

/** What the name of a dated snapshot ends with. */
const snapshotDate = /-(?:\d{4}-\d{2}-\d{2}|\d{8})$/;

/** The families of the models of a ledger's calls. */
export class ModelFamilies {
  readonly #parents = new Map<string, string>();
  readonly #labels = new Map<string, string>();

  constructor(calls: readonly { readonly model: string; readonly answeredModel: string }[]) {
    for (const { model, answeredModel } of calls) {
      this.#join(model, answeredModel === '' ? model : answeredModel);
    }
    // A name that was answered tells more than one that was asked for; among several, the first in order.
    for (const { answeredModel } of calls) {
      if (answeredModel === '') continue;
      const root = this.#root(keyOf(answeredModel));
      const label = this.#labels.get(root);
      if (label === undefined || answeredModel < label) this.#labels.set(root, answeredModel);
    }
  }

  /** The name that stands for the family of a model; the name itself where the ledger has no call of it. */
  of(name: string): string {
    if (name === '') return '';
    const bare = name.slice(name.lastIndexOf('/') + 1);
    for (const known of [name, bare, name.replace(snapshotDate, ''), bare.replace(snapshotDate, '')]) {
      const key = keyOf(known);
      if (!this.#parents.has(key)) continue;
      const root = this.#root(key);
      return this.#labels.get(root) ?? root;
    }
    return name;
  }

  #join(one: string, other: string): void {
    const [left, right] = [this.#root(keyOf(one)), this.#root(keyOf(other))];
    if (left === right) return;
    if (left < right) this.#parents.set(left, right);
    else this.#parents.set(right, left);
  }

  #root(key: string): string {
    const parent = this.#parents.get(key);
    if (parent === undefined) {
      this.#parents.set(key, key);
      return key;
    }
    return parent === key ? key : this.#root(parent);
  }
}

function keyOf(name: string): string {
  return name.trim().toLowerCase();
}
